/** Sends frames on a TAP device and ends in the same turn, without closing anything. */
import { openTap } from '../../src/node/tap/link.ts';

const link = openTap(process.argv[2]);
for (let n = 0; n < 3; n++) link.send(new Uint8Array(60).fill(255, 0, 12));
process.exit(0);
