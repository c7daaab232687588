import assert from 'node:assert/strict';
import { test } from 'node:test';
import { minutes, ms } from '../../src/base/instant.ts';
import { EPOCH } from '../../src/sim/epoch.ts';
import { dissectFrame } from '../../src/trace/dissect.ts';
import { toPcapng } from '../../src/trace/export/pcapng.ts';
import { renderJourney } from '../../src/trace/story/render.ts';
import { loadJourney } from '../lib/journey.ts';
import { assertTiles } from '../lib/spans.ts';

const URL_ = 'http://www.example.test/';
const capture = async (seed: number, loss = 0): Promise<Buffer> => {
  const { recorder } = await loadJourney(URL_, { seed, loss });
  return Buffer.from(toPcapng(recorder.events, { epoch: EPOCH }));
};

test('determinism: the same seed gives the same packets, byte for byte; another seed others', async () => {
  const [first, again, other] = [await capture(1), await capture(1), await capture(2)];
  assert.ok(first.equals(again));
  assert.ok(!first.equals(other));
  assert.ok((await capture(5, 0.2)).equals(await capture(5, 0.2)));
});

test('more hosts in the world do not change what the others do', async () => {
  const times = async (sites: number): Promise<string> => {
    const names = Array.from({ length: sites }, (_, n) => [`s${n}.test`, { find: () => undefined }] as const);
    const { journey } = await loadJourney(URL_, { sites: new Map(names) });
    return JSON.stringify([journey.loadedAt, journey.connections.map(c => [c.local, c.clientIsn, c.serverIsn])]);
  };
  assert.equal(await times(0), await times(5));
});

test('the journey: names, next hop, handshake with both ends states, close and 2 MSL', async () => {
  const { journey, page } = await loadJourney(URL_);
  assert.deepEqual(
    journey.names.map(n => `${n.name} ${n.result}`),
    ['www.example.test 203.0.113.80', 'img.example.test 203.0.113.180'],
  );
  const caches = journey.names[0].steps.flatMap(s => (s.kind === 'cache' ? [`${s.cache} ${s.outcome}`] : []));
  assert.deepEqual(caches, [
    'browser cache miss',
    'host cache miss',
    'hosts file miss',
    'router cache miss',
    'resolver cache miss',
  ]);
  const zones = journey.names[0].steps.flatMap(s => (s.kind === 'query' && s.zone ? [`${s.zone} ${s.outcome}`] : []));
  assert.deepEqual(zones, ['. refers to test.', 'test. refers to example.test.', 'example.test. 203.0.113.80']);
  assert.equal(journey.nextHops[0].address, '192.168.1.1');
  const [main] = journey.connections;
  assert.deepEqual([main.server, main.remote], ['www', '203.0.113.80:80']);
  assert.match(main.seenAs ?? '', /^198\.51\.100\.2:/);
  assert.deepEqual(main.states.client, [
    'CLOSED',
    'SYN_SENT',
    'ESTABLISHED',
    'FIN_WAIT_1',
    'FIN_WAIT_2',
    'TIME_WAIT',
    'CLOSED',
  ]);
  assert.deepEqual(main.states.server, [
    'CLOSED',
    'LISTEN',
    'SYN_RCVD',
    'ESTABLISHED',
    'CLOSE_WAIT',
    'LAST_ACK',
    'CLOSED',
  ]);
  const fin = main.rows.find(row => row.flags & 1);
  assert.ok(main.closedAt !== undefined && fin !== undefined && main.closedAt - fin.sentAt >= minutes(4));
  assert.equal(journey.requests.length, page.resources.length);
  assert.ok(journey.requests.every(r => r.statusLine?.startsWith('HTTP/1.1 200')));
});

test('the story fits 80 columns, with loss and all details too', async () => {
  for (const options of [{}, { loss: 0.2, seed: 7 }, { loss: 0.3, seed: 9, delay: ms(300) }]) {
    const { journey } = await loadJourney(URL_, options);
    for (const verbose of [false, true]) {
      const text = renderJourney(journey, { verbose });
      for (const line of text.split('\n')) assert.ok([...line].length <= 80, `${[...line].length}: ${line}`);
      assert.ok(!text.includes('\u001b'), 'no colour unless asked for');
    }
  }
});

test("delay and loss of the laptop's link are what they are said to be", async () => {
  const plain = (await loadJourney(URL_)).journey;
  const far = (await loadJourney(URL_, { delay: ms(80) })).journey;
  const rtt = (j: typeof plain): number => (j.connections[1].establishedAt ?? 0) - j.connections[1].openedAt;
  assert.equal(Math.round((rtt(far) - rtt(plain)) / 1e6), 160);
  const lossy = (await loadJourney(URL_, { loss: 0.2, seed: 3 })).journey;
  assert.ok(lossy.summary.lostFrames > 10 && lossy.summary.retransmissions > 5);
});

test('every frame of a page load is dissected into layers that cover it', async () => {
  const { recorder } = await loadJourney(URL_);
  const protocols = new Set<string>();
  for (const event of recorder.events) {
    if (event.kind !== 'frame') continue;
    const layers = dissectFrame(event.bytes);
    assertTiles(layers, 0, event.bytes.length);
    for (const layer of layers) protocols.add(layer.name);
  }
  for (const name of ['Ethernet II', 'ARP', 'IPv4', 'UDP', 'TCP', 'DNS', 'HTTP']) assert.ok(protocols.has(name), name);
  assert.ok(![...protocols].some(name => name.startsWith('malformed')), [...protocols].join());
});

test('a hundred frames of loss: nothing is left behind when the world comes to rest', async () => {
  const { world } = await loadJourney(URL_, { loss: 0.2, seed: 11 });
  await world.clock.run(() => false, world.clock.now() + minutes(60));
  for (const host of world.hosts.values()) assert.deepEqual(host.tcp.connections(), [], host.name);
});
