/** Worlds of both versions of IP: joined by one call, routed by one call, and the same to every tool. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HttpClient } from '../../src/application/http1/client.ts';
import { Headers } from '../../src/application/http1/headers.ts';
import { HttpServer } from '../../src/application/http1/server.ts';
import { ms, seconds } from '../../src/base/instant.ts';
import type { Host } from '../../src/host/host.ts';
import { EPOCH } from '../../src/sim/epoch.ts';
import { Internet } from '../../src/sim/internet.ts';
import { dissectFrame } from '../../src/trace/dissect.ts';
import { toPcapng } from '../../src/trace/export/pcapng.ts';
import { Recorder } from '../../src/trace/recorder.ts';
import { assertTiles } from '../lib/spans.ts';

const folder = mkdtempSync(join(tmpdir(), 'netarium-'));
after(() => rmSync(folder, { recursive: true }));

/** Two hosts of either version at the ends, one of IPv6 alone on a LAN, three routers in a triangle. */
function build(): { net: Internet; recorder: Recorder; a: Host; b: Host; c: Host } {
  const recorder = new Recorder();
  const net = new Internet({ seed: 3, trace: recorder.sink });
  const [a, b, c] = [net.host('a'), net.host('b'), net.host('c')];
  const [west, east, south] = [net.router('west'), net.router('east'), net.router('south')];
  net.join(a, ['10.1.0.2/24', 'fd00:1::2/64'], west, ['10.1.0.1/24', 'fd00:1::1/64']);
  net.join(west, ['10.9.0.1/30', 'fd00:9::1/64'], east, ['10.9.0.2/30', 'fd00:9::2/64'], { delay: ms(9) });
  net.join(west, 'fd00:8::1/64', south, 'fd00:8::2/64', { delay: ms(2) });
  net.join(south, 'fd00:7::1/64', east, 'fd00:7::2/64', { delay: ms(2), mtu: 1300 });
  const lan = net.lan('lan', [
    [east, ['10.2.0.1/24', 'fd00:2::1/64']],
    [b, ['10.2.0.2/24', 'fd00:2::2/64']],
  ]);
  net.extend(lan, c, 'fd00:2::3/64');
  net.route();
  return { net, recorder, a, b, c };
}

test('routes of each version go the way that is quickest for it', async () => {
  const { net, a } = build();
  const over = async (address: string): Promise<number> => {
    const [first, second] = await net.clock.until(a.ping(address, { count: 2 }));
    assert.ok(first.rtt !== undefined && second.rtt !== undefined, address);
    return Math.round(second.rtt / ms(1));
  };
  assert.equal(await over('10.2.0.2'), 18, 'IPv4 has the direct way alone');
  assert.equal(await over('fd00:2::2'), 8, 'IPv6 goes by the south');
  assert.equal(await over('fd00:2::3'), 8);
});

test('a megabyte over the narrower link: its path MTU is learned, and every byte arrives', async () => {
  const { net, a, c } = build();
  const body = 'x'.repeat(1_000_000);
  const answer = () => ({ status: 200, headers: new Headers([['Content-Type', 'text/plain']]), body });
  new HttpServer(answer, { scheduler: net.clock, date: () => 0 }).listen(c.network, 80);
  const http = new HttpClient(a.context, a.network, { lookup: async () => ['fd00:2::3'] });
  const response = await net.clock.until(http.request({ url: 'http://c.test/' }));
  assert.equal((await net.clock.until(response.bytes())).length, body.length);
  assert.equal(c.ip6.mtuFor('fd00:1::2'), 1300);
});

test('the same seed gives the same frames', async () => {
  const frames = async (): Promise<string> => {
    const { net, recorder, a } = build();
    await net.clock.until(a.ping('fd00:2::3', { count: 2 }));
    net.clock.runSync(seconds(60));
    return recorder.events
      .flatMap(event => (event.kind === 'frame' ? [`${event.time} ${Buffer.from(event.bytes).toString('hex')}`] : []))
      .join('\n');
  };
  assert.equal(await frames(), await frames());
});

test('what is on no network, and what is no address, is said', () => {
  const { net } = build();
  const lan = net.switches.get('lan');
  assert.ok(lan);
  assert.throws(() => net.extend(lan, net.host('d'), 'fd00:5::1/64'), /fd00:5::1\/64 is on no network/);
  assert.throws(
    () => net.join(net.host('e'), 'fd00::1', net.host('f'), 'fd00::2/64'),
    /'fd00::1' is not an address with/,
  );
});

test('every frame is taken apart to its last byte; tshark finds nothing malformed and no bad checksum', async t => {
  const { net, recorder, a, b } = build();
  const heard = b.udp.open(9);
  assert.ok(heard);
  await net.clock.until(a.ping('fd00:2::2', { count: 1, size: 4000 }));
  a.udp.open()?.send(new Uint8Array(3000), 'fd00:2::2', 9);
  a.udp.open()?.send(new Uint8Array(30), 'fd00:2::2', 10);
  net.clock.runSync(seconds(100));
  const kinds = new Set<string>();
  for (const event of recorder.events) {
    if (event.kind !== 'frame') continue;
    const layers = dissectFrame(event.bytes);
    assertTiles(layers, 0, event.bytes.length);
    for (const layer of layers) kinds.add(layer.name === 'ICMPv6' ? `ICMPv6 ${layer.value}` : layer.name);
  }
  for (const kind of [
    'IPv6',
    'UDP',
    'fragment header',
    'fragment',
    'hop-by-hop options',
    'ICMPv6 echo request',
    'ICMPv6 neighbour solicitation',
    'ICMPv6 router advertisement',
    'ICMPv6 multicast listener report',
    'ICMPv6 port unreachable',
    'quoted datagram',
  ]) {
    assert.ok(kinds.has(kind), `${kind} in ${[...kinds]}`);
  }
  if (spawnSync('tshark', ['--version']).status !== 0) return t.diagnostic('tshark is not installed');
  const file = join(folder, 'dual.pcapng');
  writeFileSync(file, toPcapng(recorder.events, { epoch: EPOCH }));
  const bad =
    '_ws.malformed || icmpv6.checksum.status == "Bad" || udp.checksum.status == "Bad" || _ws.expert.severity > 0x400000';
  const flags = ['-r', file, '-o', 'udp.check_checksum:TRUE', '-Y', bad];
  assert.equal(execFileSync('tshark', flags, { stdio: ['ignore', 'pipe', 'ignore'] }).toString(), '');
});
