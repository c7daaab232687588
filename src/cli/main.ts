#!/usr/bin/env node
/** The command line: one word chooses the command; what goes wrong is one line and an exit status. */
import { ZoneFileError } from '../application/dns/zone-file.ts';
import { TapError } from '../node/tap/device.ts';
import { CaptureError } from '../trace/capture/file-format.ts';
import { UsageError } from './arguments.ts';
import { DIG_HELP, dig } from './dig.ts';
import { GET_HELP, get } from './get.ts';
import { MAP_HELP, map } from './map.ts';
import { PACKETDRILL_HELP, packetdrill } from './packetdrill.ts';
import { PING_HELP, ping } from './ping.ts';
import { READ_HELP, read } from './read.ts';
import { SERVE_HELP, serve } from './serve.ts';

const HELP = `netarium: an internet in a glass box

  netarium get URL          load a page through every layer, tell the journey
  netarium ping HOST        echo requests
  netarium dig NAME [TYPE]  ask for records
  netarium map              the hosts and the links between them
  netarium packetdrill PATH packetdrill scripts, in virtual time
  netarium read CAPTURE     conversations and HTTP in a pcap or pcapng file
  netarium serve DIR        a web server on a TAP device of this machine
  netarium help COMMAND     the flags of a command
`;

const COMMANDS: Record<string, { run: (args: readonly string[]) => Promise<number>; help: string }> = {
  get: { run: get, help: GET_HELP },
  ping: { run: ping, help: PING_HELP },
  dig: { run: dig, help: DIG_HELP },
  map: { run: map, help: MAP_HELP },
  packetdrill: { run: packetdrill, help: PACKETDRILL_HELP },
  read: { run: read, help: READ_HELP },
  serve: { run: serve, help: SERVE_HELP },
};

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  const wanted = name === 'help' ? rest[0] : name;
  const command = Object.hasOwn(COMMANDS, wanted) ? COMMANDS[wanted] : undefined;
  if (command === undefined)
    throw new UsageError(`there is no command '${wanted}'; there are ${Object.keys(COMMANDS).join(', ')}`);
  if (name === 'help' || rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(`${command.help}\n`);
    return 0;
  }
  return command.run(rest);
}

/** A pipe that was closed early (`| head`) is no error. */
process.stdout.on('error', error => {
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`netarium: ${error.message}\n`);
    process.exitCode = 2;
  } else if (error instanceof TapError || error instanceof ZoneFileError || error instanceof CaptureError) {
    process.stderr.write(`netarium: ${error.message}\n`);
    process.exitCode = 1;
  } else {
    const detail = error instanceof Error ? (process.env.NETARIUM_DEBUG ? error.stack : error.message) : String(error);
    process.stderr.write(`netarium: a bug of netarium's: ${detail} (NETARIUM_DEBUG=1 tells more)\n`);
    process.exitCode = 1;
  }
}
