/** A host on a TAP device whose frames a worker thread waits for; it answers pings until it is ended. */
import { seededRandom } from '../../src/base/random.ts';
import { Host } from '../../src/host/host.ts';
import { RealClock } from '../../src/node/real-clock.ts';
import { openTap } from '../../src/node/tap/link.ts';

const [name, address] = process.argv.slice(2);
const link = openTap(name, { readiness: 'worker thread' });
const host = new Host({ scheduler: new RealClock(), random: seededRandom(1) }, 'worker-host');
host.attach(link, address);
process.on('SIGTERM', () => {
  link.close();
  process.exit(0);
});
process.stdout.write(`ready, woken by the ${link.readiness}\n`);
