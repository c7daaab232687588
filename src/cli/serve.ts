/** `netarium serve`: a web server on our stack that this machine's kernel reaches. */
import type { RequestHandler } from '../application/http1/server.ts';
import { HttpServer } from '../application/http1/server.ts';
import { staticFiles } from '../application/http1/static.ts';
import { diskFiles } from '../node/file-store.ts';
import { zlibCodings } from '../node/zlib.ts';
import { type Flag, parseCommandLine, parseNumber, UsageError } from './arguments.ts';
import { openTapHost, TAP_HOST_FLAGS } from './tap-host.ts';

export const SERVE_HELP = `netarium serve DIR --tap NAME --address A/L [flags]

serve files on a TAP device (Linux, root)

  --tap NAME          the device; it is made when there is none
  --address A/L       our address with its prefix length, like 10.9.0.2/24
                      or fd00:9::2/64; or both, with a comma between them
  --port N            default 80
  --gateway A         for clients on other networks
  --mtu N             less than the device's
  --offload           segments of 64 KB and no checksums, both ways: fast
  --loss 1% --delay 20ms --reorder 1%
                      a bad path, both ways
  --quiet             no line a request`;

const FLAGS: Record<string, Flag> = { ...TAP_HOST_FLAGS, port: { type: 'string' }, quiet: { type: 'boolean' } };

export async function serve(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args, FLAGS);
  const [directory, ...rest] = parsed.positionals;
  if (directory === undefined || rest.length > 0) throw new UsageError('serve takes one folder');
  const tap = parsed.text('tap');
  if (tap === undefined) throw new UsageError('serve needs --tap NAME and --address A/L; see netarium help serve');
  const files = asUsage(() => diskFiles(directory));
  const port = parseNumber('--port', parsed.text('port') ?? '80', 1, 65535);
  const { host, clock, close, link } = openTapHost(parsed, 'netarium');
  const date = (): number => Date.now();
  const handler = staticFiles({ files, date, codings: zlibCodings });
  const server = new HttpServer(parsed.is('quiet') ? handler : logged(handler), { scheduler: clock, date });
  server.listen(host.network, port);
  const places = (parsed.text('address') as string).split(',').map(text => {
    const [address] = text.split('/');
    return `http://${address.includes(':') ? `[${address}]` : address}${port === 80 ? '' : `:${port}`}/`;
  });
  process.stdout.write(`serving ${directory} at ${places.join(' and ')} on ${tap} (woken by the ${link.readiness})\n`);
  process.stdout.write(`the kernel's side needs an address: ip addr add ADDRESS dev ${tap}\n`);
  await new Promise<void>(resolve => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  server.close();
  close();
  return 0;
}

function logged(handler: RequestHandler): RequestHandler {
  return async request => {
    const response = await handler(request);
    const length = response.body === undefined ? 0 : (response.body.length ?? '?');
    process.stdout.write(
      `${request.remote.address} ${request.method} ${request.target} ${response.status} ${length}\n`,
    );
    return response;
  };
}

function asUsage<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
