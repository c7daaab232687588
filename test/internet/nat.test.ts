import assert from 'node:assert/strict';
import { test } from 'node:test';
import { minutes, ms, seconds } from '../../src/base/instant.ts';
import type { Host } from '../../src/host/host.ts';
import type { NatSettings } from '../../src/internet/nat.ts';
import { Switch } from '../../src/link/switch.ts';
import { ip } from '../../src/wire/address.ts';
import { formatIp } from '../../src/wire/ip-address.ts';
import { TestWorld } from '../lib/world.ts';

/** Two hosts at home, the NAT, and a server outside: 192.168.0.2, .3 - .1 | 198.51.100.1 - 198.51.100.2. */
function home(settings?: Partial<NatSettings>): { world: TestWorld; a: Host; c: Host; nat: Host; server: Host } {
  const world = new TestWorld();
  const hub = new Switch('s', world.clock);
  const [a, c, server] = [world.host('a'), world.host('c'), world.host('server')];
  const nat = world.host('nat', { router: true });
  for (const [host, address] of [
    [nat, '192.168.0.1/24'],
    [a, '192.168.0.2/24'],
    [c, '192.168.0.3/24'],
  ] as const) {
    const cable = world.cable(host.name);
    hub.attach(cable.b);
    host.attach(cable.a, address);
  }
  const line = world.cable('line', { delay: ms(1) });
  const outside = nat.attach(line.a, '198.51.100.1/24');
  server.attach(line.b, '198.51.100.2/24');
  nat.translate(outside, settings);
  a.route('default', '192.168.0.1');
  c.route('default', '192.168.0.1');
  return { world, a, c, nat, server };
}

test('RFC 3022: what leaves has the outside address, and answers find their way back', () => {
  const { world, a, server, nat } = home();
  const seen: string[] = [];
  const echo = server.udp.open(7);
  assert.ok(echo);
  echo.onMessage = ({ from, fromPort, bytes }) => {
    seen.push(formatIp(from));
    echo.send(bytes, from, fromPort);
  };
  const socket = a.udp.open();
  assert.ok(socket);
  let back = '';
  socket.onMessage = ({ bytes }) => void (back = new TextDecoder().decode(bytes));
  socket.send(new TextEncoder().encode('hello'), ip('198.51.100.2'), 7);
  world.clock.runSync(seconds(1));
  assert.deepEqual([seen, back], [['198.51.100.1'], 'hello']);
  assert.equal(nat.ip.nat?.list().length, 1);
});

test('TCP and echo pass, large and fragmented datagrams too', async () => {
  const { world, a, server } = home();
  let got = 0;
  server.network.listen({ port: 80 }, () => ({ data: b => void (got += b.length), end() {}, error() {}, closed() {} }));
  const socket = a.network.connect(
    { address: '198.51.100.2', port: 80 },
    {
      connected: () => void socket.write(new Uint8Array(100_000)),
      data() {},
      end() {},
      error: e => assert.fail(e),
      closed() {},
    },
  );
  world.clock.runSync(seconds(5));
  assert.equal(got, 100_000);
  const results = await world.clock.until(a.ping('198.51.100.2', { count: 2, size: 4000 }));
  assert.ok(results.every(r => r.rtt !== undefined));
});

test('RFC 4787 REQ-1: one inside endpoint has one outside port, whoever it talks to', () => {
  const { world, a, server } = home();
  const ports = new Set<number>();
  for (const port of [7, 8]) {
    const socket = server.udp.open(port);
    assert.ok(socket);
    socket.onMessage = ({ fromPort }) => void ports.add(fromPort);
  }
  const socket = a.udp.open();
  socket?.send(new Uint8Array(1), ip('198.51.100.2'), 7);
  socket?.send(new Uint8Array(1), ip('198.51.100.2'), 8);
  world.clock.runSync(seconds(1));
  assert.equal(ports.size, 1);
});

test('address and port-dependent filtering: a stranger does not get in', () => {
  const { world, a, server, nat } = home();
  const socket = a.udp.open();
  assert.ok(socket);
  socket.onMessage = () => assert.fail('nobody was asked');
  socket.send(new Uint8Array(1), ip('198.51.100.2'), 7);
  world.clock.runSync(seconds(1));
  const port = nat.ip.nat?.list()[0].outsidePort as number;
  server.udp.open(666)?.send(new Uint8Array(1), ip('198.51.100.1'), port);
  world.clock.runSync(world.clock.now() + seconds(1));
  assert.ok(world.drops('nat').includes('nat-filtered'));
});

test('RFC 5508 §4.2: ICMP errors are translated, with the datagram inside them', () => {
  const { world, a } = home();
  const socket = a.udp.open();
  assert.ok(socket);
  const errors: string[] = [];
  socket.onError = (error, port) => void errors.push(`${formatIp(error.source)} ${error.code} ${port}`);
  socket.send(new Uint8Array(1), ip('198.51.100.2'), 999);
  world.clock.runSync(seconds(1));
  assert.deepEqual(errors, ['192.168.0.2 3 999']);
});

test('RFC 4787 REQ-5: an idle mapping ends', () => {
  const { world, a, nat } = home();
  a.udp.open()?.send(new Uint8Array(1), ip('198.51.100.2'), 7);
  world.clock.runSync(minutes(4));
  assert.equal(nat.ip.nat?.list().length, 1);
  world.clock.runSync(minutes(6));
  assert.equal(nat.ip.nat?.list().length, 0);
});

test('RFC 4787 REQ-9: hairpinning, two hosts at home meet at the outside address', () => {
  const { world, a, c, nat } = home();
  const [one, two] = [a.udp.open(), c.udp.open()];
  assert.ok(one && two);
  let from = '';
  one.onMessage = message => void (from = formatIp(message.from));
  one.send(new Uint8Array(1), ip('198.51.100.2'), 7);
  two.send(new Uint8Array(1), ip('198.51.100.2'), 7);
  world.clock.runSync(seconds(1));
  const [m1, m2] = nat.ip.nat?.list() ?? [];
  one.send(new Uint8Array(1), ip('198.51.100.1'), m2.outsidePort);
  two.send(new Uint8Array(1), ip('198.51.100.1'), m1.outsidePort);
  world.clock.runSync(world.clock.now() + seconds(1));
  assert.equal(from, '198.51.100.1', 'with its outside address');
});

test('mappings are bounded', () => {
  const { world, a, nat } = home({ maxMappings: 100 });
  a.udp.open()?.send(new Uint8Array(1), ip('198.51.100.2'), 7);
  world.clock.runSync(ms(100));
  for (let n = 0; n < 300; n++) a.udp.open()?.send(new Uint8Array(1), ip('198.51.100.2'), 7);
  world.clock.runSync(seconds(1));
  assert.equal(nat.ip.nat?.list().length, 100);
  assert.ok(world.drops('nat').includes('nat-untranslatable'));
});
