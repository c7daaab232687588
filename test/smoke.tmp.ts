import { BuiltinInternet } from '../src/sim/builtin/builtin.ts';
import { zlibCodings } from '../src/node/zlib.ts';
import { formatDuration } from '../src/base/instant.ts';
const ev: any[] = [];
const t0 = Date.now();
const net = new BuiltinInternet({ seed: 1, codings: zlibCodings, loss: Number(process.argv[3] ?? 0), trace: e => ev.push(e) });
const b = net.browser();
try {
const page = await net.clock.until(b.load(process.argv[2] ?? 'http://www.example.test/'));
console.log(page.title, formatDuration(page.loadedAt), Date.now()-t0, 'ms');
for (const r of page.resources) console.log(r.url, r.status, r.type, r.transferred, r.body.length, r.error?.message, formatDuration(r.endedAt - r.startedAt));
} catch (e: any) { console.log('ERR', e.name, e.code, e.message, formatDuration(net.clock.now())); }
if (process.argv[4]) for (const e of ev) if (e.kind !== 'frame') console.log(JSON.stringify(e).slice(0, 200));
