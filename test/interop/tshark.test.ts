/** What Wireshark makes of our captures: it must agree with the story in every figure. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EPOCH } from '../../src/sim/epoch.ts';
import { toPcapng } from '../../src/trace/export/pcapng.ts';
import { type LoadedJourney, loadJourney } from '../lib/journey.ts';

const missing = spawnSync('tshark', ['--version']).status === 0 ? false : 'tshark is not installed';
const folder = mkdtempSync(join(tmpdir(), 'netarium-'));
after(() => rmSync(folder, { recursive: true }));

const URL_ = 'http://www.example.test/';
const LAPTOP = 'laptop:home-switch';
const CHECKS = ['ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum'].flatMap(name => [
  '-o',
  `${name}:TRUE`,
]);
/** All that tshark may remark on a page load without loss. */
const EXPECTED =
  /Connection (establish|finish)|This frame (initiates|undergoes) the connection closing|^(GET|HTTP\/1\.1) /;

function capture(loaded: LoadedJourney, link?: string): string {
  const file = join(folder, `${(link ?? 'all').replace(':', '-')}.pcapng`);
  writeFileSync(file, toPcapng(loaded.recorder.events, { epoch: EPOCH, link }));
  return file;
}

function tshark(file: string, ...args: string[]): string[] {
  const out = execFileSync('tshark', ['-r', file, ...CHECKS, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
  });
  return out
    .toString()
    .split('\n')
    .filter(line => line !== '');
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('every link: no malformed packet, no checksum error, no unexpected remark', { skip: missing }, async () => {
  const loaded = await loadJourney(URL_);
  for (const link of loaded.world.cables.keys()) {
    const file = capture(loaded, link);
    const bad = tshark(
      file,
      '-Y',
      '_ws.malformed || ip.checksum.status == "Bad" || tcp.checksum.status == "Bad" || udp.checksum.status == "Bad" || icmp.checksum.status == "Bad"',
    );
    assert.deepEqual(bad, [], link);
    const remarks = tshark(
      file,
      '-Y',
      '_ws.expert',
      '-T',
      'fields',
      '-E',
      'separator=|',
      '-E',
      'aggregator=|',
      '-e',
      '_ws.expert.message',
    );
    const unexpected = remarks.flatMap(line => line.split('|')).filter(message => !EXPECTED.test(message));
    assert.deepEqual(unexpected, [], link);
  }
});

test('the whole capture: one interface a link, named, in nanoseconds, with our comments', {
  skip: missing,
}, async () => {
  const loaded = await loadJourney(URL_, { loss: 0.2, seed: 2 });
  const file = capture(loaded);
  const rows = tshark(file, '-T', 'fields', '-e', 'frame.interface_name', '-e', 'frame.comment');
  const frames = loaded.recorder.events.filter(e => e.kind === 'frame');
  assert.equal(rows.length, frames.length);
  assert.deepEqual(new Set(rows.map(row => row.split('\t')[0])), new Set(frames.map(f => f.link)));
  const lost = rows.filter(row => row.includes('lost: this frame does not arrive'));
  assert.equal(lost.length, loaded.journey.summary.lostFrames);
  assert.ok(rows.some(row => /retransmission \((rto|fast-retransmit)\): /.test(row)));
});

test('the whole capture, all links at once: nothing malformed, and the first link is as clean as alone', {
  skip: missing,
}, async () => {
  const file = capture(await loadJourney(URL_));
  assert.deepEqual(tshark(file, '-Y', '_ws.malformed || _ws.expert.severity >= "Warning"'), []);
  const remarks = tshark(
    file,
    '-Y',
    'frame.interface_id == 0 && _ws.expert',
    '-T',
    'fields',
    '-E',
    'aggregator=|',
    '-e',
    '_ws.expert.message',
  );
  assert.deepEqual(
    remarks.flatMap(line => line.split('|')).filter(message => !EXPECTED.test(message)),
    [],
  );
});

test('HTTP objects: what Wireshark takes out of the capture is what the browser got', { skip: missing }, async () => {
  const loaded = await loadJourney(URL_);
  const objects = join(folder, 'objects');
  tshark(capture(loaded, LAPTOP), '-q', '--export-objects', `http,${objects}`);
  const exported = readdirSync(objects)
    .map(name => sha(readFileSync(join(objects, name))))
    .sort();
  // A coding that this tshark does not know is exported as it came.
  const coded = await loadJourney(URL_, { codings: undefined });
  const plain = loaded.page.resources.map(r => sha(r.body)).sort();
  assert.equal(exported.length, plain.length);
  const uncompressed = loaded.page.resources.filter(r => r.transferred === r.body.length).map(r => sha(r.body));
  for (const hash of uncompressed) assert.ok(exported.includes(hash));
  tshark(capture(coded, LAPTOP), '-q', '--export-objects', `http,${objects}-plain`);
  const all = readdirSync(`${objects}-plain`)
    .map(name => sha(readFileSync(join(`${objects}-plain`, name))))
    .sort();
  assert.deepEqual(all, plain);
});

test('DNS and TCP streams are those of the story', { skip: missing }, async () => {
  const loaded = await loadJourney(URL_);
  const file = capture(loaded, LAPTOP);
  const answers = tshark(file, '-Y', 'dns.flags.response == 1', '-T', 'fields', '-e', 'dns.qry.name', '-e', 'dns.a');
  assert.deepEqual(
    answers.map(line => line.toLowerCase().replace('\t', ' ')),
    loaded.journey.names.map(n => `${n.name} ${n.result}`),
  );
  const rows = tshark(
    file,
    '-Y',
    'tcp',
    '-T',
    'fields',
    '-e',
    'tcp.stream',
    '-e',
    'tcp.srcport',
    '-e',
    'tcp.seq_raw',
    '-e',
    'tcp.len',
    '-e',
    'tcp.flags',
  );
  const streams = new Map<string, string[]>();
  for (const row of rows) {
    const [stream, port, seq, length, flags] = row.split('\t');
    const key = `${port} ${seq} ${length} ${Number(flags)}`;
    streams.set(stream, [...(streams.get(stream) ?? []), key]);
  }
  assert.equal(streams.size, loaded.journey.connections.length);
  loaded.journey.connections.forEach((connection, n) => {
    const told = connection.rows.map(r => {
      const port = (r.from === 'client' ? connection.local : connection.remote).split(':')[1];
      return `${port} ${r.seq} ${r.length} ${r.flags}`;
    });
    assert.deepEqual([...(streams.get(String(n)) ?? [])].sort(), told.sort());
  });
});

test('a line that loses a fifth, seeds 1 to 50: every page whole, and retransmissions as tshark counts them', {
  skip: missing,
}, async () => {
  const clean = await loadJourney(URL_);
  const bodies = ({ page }: LoadedJourney): string[] => page.resources.map(r => `${r.url} ${sha(r.body)}`).sort();
  for (let seed = 1; seed <= 50; seed++) {
    const loaded = await loadJourney(URL_, { seed, loss: 0.2 });
    assert.deepEqual(bodies(loaded), bodies(clean), `seed ${seed}`);
    const kinds = ['retransmission', 'fast_retransmission', 'spurious_retransmission', 'out_of_order'];
    const counted = tshark(
      capture(loaded, LAPTOP),
      '-Y',
      kinds.map(kind => `tcp.analysis.${kind}`).join(' || '),
      '-T',
      'fields',
      '-e',
      'frame.number',
    );
    assert.equal(loaded.journey.summary.retransmissions, counted.length, `seed ${seed}`);
  }
});
