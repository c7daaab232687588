/** Captures are read: the formats, what is found in them, and what is said of damaged ones. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromLatin1 } from '../../src/base/bytes.ts';
import { seededRandom } from '../../src/base/random.ts';
import { readCapture } from '../../src/node/capture-file.ts';
import { BuiltinInternet } from '../../src/sim/builtin/builtin.ts';
import { EPOCH } from '../../src/sim/epoch.ts';
import { CaptureError } from '../../src/trace/capture/file-format.ts';
import { HttpMessages, type MessageHead } from '../../src/trace/capture/http-messages.ts';
import { OrderedStream } from '../../src/trace/capture/ordered-stream.ts';
import { CaptureReader } from '../../src/trace/capture/read.ts';
import { toPcapng } from '../../src/trace/export/pcapng.ts';
import { Recorder } from '../../src/trace/recorder.ts';

/** A page loaded in the built-in internet, over a bad line, as the laptop's own link saw it. */
async function pageLoad(): Promise<Uint8Array> {
  const recorder = new Recorder();
  const world = new BuiltinInternet({ seed: 3, trace: recorder.sink, wifi: { loss: 0.02, reorder: 0.02 } });
  await world.clock.until(world.browser().load('http://www.example.test/'));
  return toPcapng(recorder.events, { epoch: EPOCH, link: 'laptop:home-switch' });
}

function readAll(bytes: Uint8Array, piece = bytes.length): CaptureReader {
  const reader = new CaptureReader({ http: true });
  let held = new Uint8Array(0);
  for (let at = 0; at < bytes.length; at += piece) {
    const joined = Uint8Array.from([...held, ...bytes.subarray(at, at + piece)]);
    held = joined.slice(reader.consume(joined, 0, joined.length));
  }
  assert.equal(reader.end(held.length), undefined);
  return reader;
}

const found = (reader: CaptureReader): unknown => ({
  packets: reader.packets,
  conversations: Array.from({ length: reader.conversations.count }, (_, at) => reader.conversations.get(at)),
  http: reader.http?.list,
});

test('a page load: every exchange with its answer, lost and reordered segments or not', async () => {
  const reader = readAll(await pageLoad());
  const list = reader.http?.list ?? [];
  assert.ok(list.length > 3, `${list.length} exchanges`);
  for (const exchange of list) {
    assert.equal(exchange.status, 200, exchange.target);
    assert.ok((exchange.length ?? 0) > 0 && (exchange.duration ?? 0) > 0, exchange.target);
  }
  assert.equal(list[0].host, 'www.example.test');
});

test('a file gives the same whatever pieces it comes in', async () => {
  const bytes = await pageLoad();
  const whole = found(readAll(bytes));
  for (const piece of [1000, 4099]) assert.deepEqual(found(readAll(bytes, piece)), whole);
});

test('tshark finds the same conversations, packets and requests', async t => {
  if (spawnSync('tshark', ['--version']).status !== 0) return t.skip('no tshark here');
  const folder = mkdtempSync(join(tmpdir(), 'netarium-capture-'));
  const path = join(folder, 'page.pcapng');
  writeFileSync(path, await pageLoad());
  const { reader } = readCapture(path, { http: true });
  const tshark = (...args: string[]): string[] =>
    execFileSync('tshark', ['-n', '-r', path, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')
      .filter(line => line !== '');
  const theirs = tshark('-q', '-z', 'conv,tcp').filter(line => line.includes('<->'));
  assert.equal(reader.conversations.count, theirs.length);
  const packets = theirs.map(line =>
    Number(/(\d+)\s+[\d.]+ \S+\s+[\d.]+\s+[\d.]+$/.exec(line.trim())?.[1] ?? Number.NaN),
  );
  const ours = Array.from({ length: reader.conversations.count }, (_, at) => reader.conversations.get(at).packets);
  assert.ok(packets.length === ours.length);
  assert.equal(reader.segments, tshark('-Y', 'tcp').length);
  const targets = tshark('-Y', 'http.request', '-T', 'fields', '-e', 'http.request.uri').sort();
  assert.deepEqual((reader.http?.list ?? []).map(e => e.target).sort(), targets);
  rmSync(folder, { recursive: true });
});

/** One packet, of four bytes, as raw IP. */
function pcap(magic: number, little: boolean, fraction: number): Uint8Array {
  const bytes = new Uint8Array(24 + 16 + 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  view.setUint32(16, 65535, little);
  view.setUint32(20, 101, little);
  view.setUint32(24, 5, little);
  view.setUint32(28, fraction, little);
  view.setUint32(32, 4, little);
  view.setUint32(36, 4, little);
  return bytes;
}

test('pcap in either order of bytes, with micro- and with nanoseconds', () => {
  for (const [magic, little, nanoseconds] of [
    [0xa1b2c3d4, false, 7000],
    [0xd4c3b2a1, true, 7000],
    [0xa1b23c4d, false, 7],
    [0x4d3cb2a1, true, 7],
  ] as const) {
    const reader = readAll(pcap(magic, little, 7));
    assert.equal(reader.packets, 1);
    assert.equal(reader.firstTime, 5e9 + nanoseconds);
  }
});

test('what is no capture, or a damaged one, is said in one line', () => {
  const reader = (bytes: Uint8Array): CaptureReader => {
    const made = new CaptureReader();
    made.consume(bytes, 0, bytes.length);
    return made;
  };
  assert.throws(() => reader(fromLatin1('GET / HTTP/1.1\r\nHost: a\r\n')), /not a capture: it begins with 0x47455420/);
  assert.throws(() => new CaptureReader().end(3), CaptureError);
  const bad = pcap(0xa1b2c3d4, false, 0);
  bad[32] = 0x7f;
  assert.throws(() => reader(bad), /damaged behind byte 0, packet 0: a packet of 2130706436 bytes/);
  const cut = pcap(0xa1b2c3d4, false, 0).subarray(0, 42);
  assert.match(reader(cut).end(18) ?? '', /ends in the middle of a packet, at byte 24/);
  assert.throws(() => readCapture('/nowhere/at/all.pcap'), /there is no such file/);
});

test('noise in a file is an error or nothing, never a hang', async () => {
  const bytes = await pageLoad();
  const random = seededRandom(5);
  for (let n = 0; n < 300; n++) {
    const broken = bytes.slice();
    for (let k = 0; k < 5; k++) broken[random.below(broken.length)] = random.below(256);
    try {
      const reader = new CaptureReader({ http: true });
      reader.end(broken.length - reader.consume(broken, 0, broken.length));
    } catch (error) {
      assert.ok(error instanceof CaptureError, String(error));
    }
  }
});

/** Messages of a direction, fed in pieces of that size. */
function messages(text: string, isRequest: boolean, piece: number, bodiless = false): unknown[] {
  const told: unknown[] = [];
  const head = ({ status, target }: MessageHead): boolean => {
    told.push(status ?? target);
    return bodiless;
  };
  const parser = new HttpMessages(isRequest, { head, end: length => void told.push(length) });
  const bytes = fromLatin1(text);
  for (let at = 0; at < bytes.length; at += piece) parser.data(bytes, at, Math.min(at + piece, bytes.length), 0);
  parser.close(0);
  return told;
}

test('RFC 9112 §6: bodies by length, by chunks, by the end, and none, in pieces of any size', () => {
  const chunked =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nA: b\r\n\r\n';
  const byLength = 'HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nabc';
  for (const piece of [1, 2, 3, 7, 1000]) {
    assert.deepEqual(messages(chunked + byLength, false, piece), [200, 21, 404, 3]);
    assert.deepEqual(messages('HTTP/1.0 200 OK\r\n\r\nuntil the end', false, piece), [200, 13]);
    assert.deepEqual(
      messages('GET /a HTTP/1.1\r\nHost: x\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n', true, piece),
      ['/a', 0, '/b', 0],
    );
    assert.deepEqual(
      messages(`HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n${byLength}`, false, piece, true),
      [200, 0, 404, 0],
    );
  }
});

test('data is put in order, told once, and a hole that nobody fills is passed over', () => {
  const told: string[] = [];
  const stream = new OrderedStream({
    data: (bytes, start, end) => void told.push(Buffer.from(bytes.subarray(start, end)).toString()),
    missing: count => void told.push(`(${count})`),
  });
  const add = (seq: number, text: string): void =>
    stream.add(seq >>> 0, fromLatin1(text), 0, text.length, text.length, 0);
  stream.begin(0xffff_fffe);
  add(0xffff_fffe, 'abc');
  add(4, 'fgh'); // before its turn
  add(0xffff_ffff, 'bcd'); // 'bc' came before
  add(1, 'c'); // at 1 stands the 'd' that came: nothing new
  add(2, 'ee');
  assert.equal(told.join(''), 'abcdeefgh');
  told.length = 0;
  add(8, 'x'.repeat(200_000));
  add(200_008, 'y'.repeat(100_000));
  assert.deepEqual(
    told.map(t => (t.startsWith('(') ? t : t.length)),
    ['(1)', 200_000, 100_000],
  );
});
