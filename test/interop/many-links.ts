/** Opens more TAP devices than Node expects listeners, closes them, and says what limit is left. */
import { openTap, type TapLink } from '../../src/node/tap/link.ts';

const before = process.getMaxListeners();
const links: TapLink[] = [];
for (let n = 0; n < before + 5; n++) links.push(openTap(`many${n}`));
for (const link of links) link.close();
process.stdout.write(`${process.getMaxListeners() - before} more, ${process.listenerCount('exit')} left\n`);
