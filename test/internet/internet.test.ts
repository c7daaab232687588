import assert from 'node:assert/strict';
import { test } from 'node:test';
import { minutes, ms, seconds } from '../../src/base/instant.ts';
import { askRarp, serveRarp } from '../../src/internet/rarp.ts';
import { Switch } from '../../src/link/switch.ts';
import { formatIpv4, ip } from '../../src/wire/address.ts';
import { ARP_OPERATION } from '../../src/wire/arp.ts';
import { ethernet } from '../../src/wire/ethernet.ts';
import { ICMP } from '../../src/wire/icmp.ts';
import { encodeIpv4Options, ipv4 } from '../../src/wire/ipv4.ts';
import { HEADROOM, Packet } from '../../src/wire/packet.ts';
import { TestWorld } from '../lib/world.ts';

/** A frame whose first header has been dealt with; the test keeps it. */
function behindEthernet(frame: Uint8Array): Packet {
  const packet = Packet.over(frame, 0, true);
  packet.start += ethernet.size;
  return packet;
}

const run = (world: TestWorld, duration: number): void => world.clock.runSync(world.clock.now() + duration);

test('RFC 826: who has it answers, both ends learn, and packets wait meanwhile', async () => {
  const world = new TestWorld();
  const { a, b } = world.pair({ delay: ms(1) });
  const results = await world.clock.until(a.ping('10.0.0.2', { count: 2 }));
  assert.equal(results[0].rtt, ms(4), 'ARP there and back, echo there and back');
  assert.equal(results[1].rtt, ms(2));
  const asked = world.events('frame').filter(e => ethernet.f.type.get(e.bytes, 0) === 0x0806);
  assert.equal(asked.length, 2);
  assert.deepEqual(
    b.ip.interfaces[0].arp.list().map(e => formatIpv4(e.address)),
    ['10.0.0.1'],
    'learned from the question',
  );
});

test('RFC 1122 §2.3.2.1: one request a second, three in all, then "host unreachable"', async () => {
  const world = new TestWorld();
  const { a } = world.pair();
  const [result] = await world.clock.until(a.ping('10.0.0.9', { count: 1, timeout: seconds(10) }));
  assert.equal(result.error, 'host unreachable');
  const asked = world.events('arp', 'a').filter(e => e.action === 'who-has');
  assert.deepEqual(
    asked.map(e => e.time),
    [0, seconds(1), seconds(2)],
  );
});

test('RFC 1122 §2.3.2.2: the queue for one address keeps the latest', () => {
  const world = new TestWorld();
  const { a, b } = world.pair({ delay: ms(1) });
  const got: number[] = [];
  const socket = b.udp.open(9);
  assert.ok(socket);
  socket.onMessage = ({ bytes }) => void got.push(bytes[0]);
  const sender = a.udp.open();
  for (let n = 0; n < 100; n++) sender?.send(Uint8Array.of(n), ip('10.0.0.2'), 9);
  run(world, ms(10));
  assert.equal(got.length, 64);
  assert.deepEqual([got[0], got.at(-1)], [36, 99]);
});

test('an entry that is used near its end is asked for again by unicast, so that nothing waits', async () => {
  const world = new TestWorld();
  const { a } = world.pair({ delay: ms(1) });
  const results = await world.clock.until(a.ping('10.0.0.2', { count: 200 }));
  assert.ok(results.slice(1).every(r => r.rtt === ms(2)));
  const broadcasts = world
    .events('frame', 'a')
    .filter(e => ethernet.f.destination.get(e.bytes, 0) === 0xffff_ffff_ffff);
  assert.equal(broadcasts.length, 1);
});

test('RFC 5227: a gratuitous ARP tells neighbours, and a second owner of the address is noticed and defended against', () => {
  const world = new TestWorld();
  const { a, b, cable } = world.pair();
  a.udp.open()?.send(new Uint8Array(1), ip('10.0.0.2'), 9);
  run(world, ms(1));
  const intruder = {
    operation: ARP_OPERATION.request,
    senderMac: 0x0200_0000_0bad,
    senderIp: ip('10.0.0.1'),
    targetMac: 0,
    targetIp: ip('10.0.0.1'),
  };
  b.ip.interfaces[0].sendArp(intruder, 0xffff_ffff_ffff);
  run(world, ms(1));
  const [conflict] = world.events('arp', 'a').filter(e => e.action === 'conflict');
  assert.equal(conflict.mac, '02:00:00:00:0b:ad');
  assert.equal(world.events('arp', 'a').filter(e => e.action === 'announce').length, 1);
  b.ip.interfaces[0].sendArp(intruder, 0xffff_ffff_ffff);
  run(world, ms(1));
  assert.equal(
    world.events('arp', 'a').filter(e => e.action === 'announce').length,
    1,
    'at most one defence in ten seconds',
  );
  assert.ok(cable);
});

test('RFC 903: RARP gives a station its address', () => {
  const world = new TestWorld();
  const cable = world.cable('c');
  const [server, station] = [world.host('server'), world.host('station')];
  const own = server.attach(cable.a, '10.0.0.1/24');
  const diskless = station.attach(cable.b, undefined, 0x0200_0000_0007);
  serveRarp(server.context, own, new Map([[0x0200_0000_0007, ip('10.0.0.7')]]));
  let got: number | undefined;
  askRarp(station.context, diskless, { done: address => void (got = address) });
  run(world, ms(1));
  assert.equal(got, ip('10.0.0.7'));
  let silence: number | undefined = 0;
  const stranger = world.host('stranger').attach(world.cable('d').a);
  askRarp(station.context, stranger, { tries: 2, done: address => void (silence = address) });
  run(world, seconds(3));
  assert.equal(silence, undefined);
});

test('RFC 1812 §5.3.1: the TTL is counted down, and who ends it says so', async () => {
  const world = new TestWorld();
  const { a } = world.line();
  const [died] = await world.clock.until(a.ping('10.0.2.2', { count: 1, ttl: 1 }));
  assert.deepEqual([died.error, died.from], ['time exceeded in transit', '10.0.1.1']);
  const [alive] = await world.clock.until(a.ping('10.0.2.2', { count: 1, ttl: 2 }));
  assert.equal(alive.ttl, 63);
});

test('RFC 1812 §5.2.7.1: no route is "network unreachable"; the longest prefix wins', async () => {
  const world = new TestWorld();
  const { a, r } = world.line();
  const [result] = await world.clock.until(a.ping('172.16.0.1', { count: 1 }));
  assert.deepEqual([result.error, result.from], ['network unreachable', '10.0.1.1']);
  r.route('172.16.0.0/12', '10.0.2.2');
  r.route('172.16.0.0/24', '10.0.1.2');
  assert.equal(r.ip.routes.lookup(ip('172.16.0.9'))?.via, ip('10.0.1.2'));
  assert.equal(r.ip.routes.lookup(ip('172.16.1.9'))?.via, ip('10.0.2.2'));
});

test('RFC 792, RFC 1122 §4.1.3.3: "port unreachable" reaches the socket that it concerns', () => {
  const world = new TestWorld();
  const { a } = world.pair();
  const [mine, other] = [a.udp.open(), a.udp.open()];
  const heard: string[] = [];
  assert.ok(mine && other);
  mine.onError = (error, port) => void heard.push(`mine ${error.code} ${port}`);
  other.onError = () => void heard.push('other');
  mine.send(new Uint8Array(3), ip('10.0.0.2'), 99);
  run(world, ms(1));
  assert.deepEqual(heard, ['mine 3 99']);
});

test('RFC 1122 §3.2.2: no error about an error, a broadcast, a fragment behind the first', () => {
  const world = new TestWorld();
  const { a, b } = world.pair();
  a.udp.open()?.send(new Uint8Array(3), ip('10.0.0.255'), 99, { broadcast: true });
  run(world, ms(1));
  assert.deepEqual(world.drops('b'), ['udp-no-port']);
  assert.equal(world.events('icmp').length, 0);
  assert.ok(b);
});

test('RFC 791 §3.2: a datagram too big for a link is cut and put together again', () => {
  const world = new TestWorld();
  const { a, b } = world.line({}, { mtu: 576 });
  let got: Uint8Array | undefined;
  const socket = b.udp.open(9);
  assert.ok(socket);
  socket.onMessage = ({ bytes }) => void (got = bytes);
  const sent = world.random.bytes(4000);
  a.udp.open()?.send(sent, ip('10.0.2.2'), 9);
  run(world, ms(10));
  assert.deepEqual(got, sent);
  const pieces = world.events('frame').filter(e => e.link === 'r:b' && ethernet.f.type.get(e.bytes, 0) === 0x0800);
  assert.ok(pieces.length >= 8 && pieces.every(e => e.bytes.length <= 576 + 14));
});

test('fragments in any order and twice; overlapping ones are thrown away', () => {
  const world = new TestWorld();
  const { a, b, cable } = world.pair();
  const got: number[] = [];
  const socket = b.udp.open(9);
  assert.ok(socket);
  socket.onMessage = ({ bytes }) => void got.push(bytes.length);
  const captured: Uint8Array[] = [];
  cable.b.receive = () => {};
  const deliver = b.ip.interfaces[0];
  a.ip.interfaces[0].arp.set(ip('10.0.0.2'), deliver.mac, true);
  cable.b.receive = f => void captured.push(f);
  a.udp.open()?.send(new Uint8Array(4000), ip('10.0.0.2'), 9);
  run(world, ms(1));
  assert.equal(captured.length, 3);
  const arrive = (f: Uint8Array): void => b.ip.ipv4Arrives(deliver, behindEthernet(f), false);
  for (const f of [captured[2], captured[0], captured[0], captured[2], captured[1]]) arrive(f);
  assert.deepEqual(got, [4000]);
  // The same again, with a fragment that lies about its place.
  const liar = captured[1].slice();
  liar[14 + 7] -= 1;
  ipv4.f.headerChecksum.set(liar, 14, 0);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += liar[at] * 256 + liar[at + 1];
  ipv4.f.headerChecksum.set(liar, 14, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
  for (const f of [captured[0], liar]) arrive(f);
  assert.ok(world.drops('b').includes('fragment-overlap'));
  assert.equal(b.ip.reassembler.size, 0);
});

test('a datagram like the last one passes as that did, and not where something else about it is different', () => {
  const world = new TestWorld();
  const { a, b, cable } = world.pair();
  const got: number[] = [];
  const socket = b.udp.open(9);
  assert.ok(socket);
  socket.onMessage = ({ bytes }) => void got.push(bytes[0]);
  const [port] = b.ip.interfaces;
  const captured: Uint8Array[] = [];
  a.ip.interfaces[0].arp.set(ip('10.0.0.2'), port.mac, true);
  cable.b.receive = f => void captured.push(f.slice());
  const options = encodeIpv4Options([{ kind: 131, data: new Uint8Array(1) }]);
  const sender = a.udp.open();
  for (let n = 0; n < 2; n++) sender?.send(Uint8Array.of(n), ip('10.0.0.2'), 9);
  run(world, ms(1));
  const [first, second] = captured;
  const arrive = (f: Uint8Array, toMany = false): void => b.ip.ipv4Arrives(port, behindEthernet(f), toMany);
  arrive(first);
  arrive(second);
  assert.deepEqual(got, [0, 1]);
  arrive(second, true);
  const damaged = second.slice();
  damaged[14 + 8] ^= 1;
  arrive(damaged);
  const packet = Packet.of(Uint8Array.of(0), HEADROOM);
  const { source, destination } = { source: ip('10.0.0.1'), destination: ip('10.0.0.2') };
  a.ip.send({ packet, source, destination, protocol: 17, options });
  run(world, ms(1));
  arrive(captured[2]);
  assert.deepEqual(world.drops('b'), ['link-broadcast-of-unicast', 'ip-checksum', 'source-routed']);
  assert.deepEqual(got, [0, 1]);
  arrive(first);
  assert.deepEqual(got, [0, 1, 0]);
});

test('RFC 1122 §3.3.2: what stays incomplete is given up after a minute, with an error if the first piece was there', () => {
  const world = new TestWorld();
  const { a, b, cable } = world.pair();
  a.ip.interfaces[0].arp.set(ip('10.0.0.2'), b.ip.interfaces[0].mac, true);
  const pass = cable.b.receive;
  let n = 0;
  cable.b.receive = f => (++n === 2 ? undefined : pass(f));
  a.udp.open()?.send(new Uint8Array(4000), ip('10.0.0.2'), 9);
  run(world, minutes(1) + ms(1));
  assert.deepEqual(world.drops('b'), ['reassembly-timeout']);
  assert.equal(world.events('icmp', 'b')[0].message, 'reassembly time exceeded');
});

test('a flood of first fragments does not grow without bound', () => {
  const world = new TestWorld();
  const { a, b, cable } = world.pair({ queue: 1 << 30 });
  a.ip.interfaces[0].arp.set(ip('10.0.0.2'), b.ip.interfaces[0].mac, true);
  const pass = cable.b.receive;
  cable.b.receive = f => (ipv4.f.fragmentOffset.get(f, 14) === 0 ? pass(f) : undefined);
  const socket = a.udp.open();
  for (let i = 0; i < 5000; i++) socket?.send(new Uint8Array(3000), ip('10.0.0.2'), 9);
  run(world, seconds(1));
  assert.ok(b.ip.reassembler.size * 1480 <= 4 << 20);
  assert.ok(world.drops('b').includes('fragment-memory'));
});

test('RFC 1191: path MTU discovery, for TCP and for a socket that asks', () => {
  const world = new TestWorld();
  const cables = [world.cable('a:r'), world.cable('r:q', { mtu: 1000 }), world.cable('q:b')];
  const [a, r, q, b] = [
    world.host('a'),
    world.host('r', { router: true }),
    world.host('q', { router: true }),
    world.host('b'),
  ];
  a.attach(cables[0].a, '10.0.1.2/24');
  r.attach(cables[0].b, '10.0.1.1/24');
  r.attach(cables[1].a, '10.0.3.1/24');
  q.attach(cables[1].b, '10.0.3.2/24');
  q.attach(cables[2].a, '10.0.2.1/24');
  b.attach(cables[2].b, '10.0.2.2/24');
  a.route('default', '10.0.1.1');
  r.route('default', '10.0.3.2');
  q.route('default', '10.0.3.1');
  b.route('default', '10.0.2.1');
  let got = 0;
  b.network.listen({ port: 80 }, () => ({
    data: bytes => void (got += bytes.length),
    end() {},
    error() {},
    closed() {},
  }));
  const socket = a.network.connect(
    { address: '10.0.2.2', port: 80 },
    {
      connected: () => void socket.write(new Uint8Array(50_000)),
      data() {},
      end() {},
      error: e => assert.fail(e),
      closed() {},
    },
  );
  run(world, seconds(5));
  assert.equal(got, 50_000);
  assert.equal(a.ip.mtuFor(ip('10.0.2.2')), 1000);
  assert.equal(world.events('icmp', 'r').filter(e => e.message === 'fragmentation needed').length > 0, true);
  assert.deepEqual(a.udp.open()?.send(new Uint8Array(1100), ip('10.0.2.2'), 9, { dontFragment: true }), {
    reason: 'too-big',
    mtu: 1000,
  });
  run(world, minutes(11));
  assert.equal(a.ip.mtuFor(ip('10.0.2.2')), 1500, 'RFC 1191 §6.3: forgotten after ten minutes');
});

test('RFC 5927: a forged "fragmentation needed" that is not in flight is not believed', () => {
  const world = new TestWorld();
  const { a, b } = world.pair();
  b.network.listen({ port: 80 }, () => ({ data() {}, end() {}, error() {}, closed() {} }));
  a.network.connect({ address: '10.0.0.2', port: 80 }, { data() {}, end() {}, error() {}, closed() {} });
  run(world, seconds(1));
  const [endpoint] = a.tcp.connections();
  const transport = new Uint8Array(8);
  const view = new DataView(transport.buffer);
  view.setUint16(0, endpoint.localPort);
  view.setUint16(2, 80);
  view.setUint32(4, endpoint.connection.tcb.sndUna + 12345);
  const forged = {
    type: 3,
    code: 4,
    meaning: 'too-big' as const,
    name: 'fragmentation needed',
    mtu: 600,
    reporter: 1,
    source: ip('10.0.0.1'),
    destination: ip('10.0.0.2'),
    protocol: 6,
    transport,
  };
  assert.equal(a.tcp.error(forged), false);
  assert.equal(endpoint.connection.tcb.pathMss, 1460);
});

test('RFC 919, RFC 922, RFC 1112: limited and directed broadcast, multicast on the link', () => {
  const world = new TestWorld();
  const hub = new Switch('s', world.clock);
  const hosts = ['a', 'b', 'c'].map((name, n) => {
    const cable = world.cable(name);
    hub.attach(cable.b);
    const host = world.host(name);
    host.attach(cable.a, `10.0.0.${n + 1}/24`);
    return host;
  });
  const heard: string[] = [];
  for (const host of hosts) {
    const socket = host.udp.open(9);
    assert.ok(socket);
    socket.onMessage = ({ bytes }) => void heard.push(`${host.name}${bytes[0]}`);
  }
  const sender = hosts[0].udp.open();
  assert.ok(sender);
  sender.send(Uint8Array.of(1), ip('255.255.255.255'), 9, { broadcast: true });
  sender.send(Uint8Array.of(2), ip('10.0.0.255'), 9, { broadcast: true });
  assert.deepEqual(sender.send(Uint8Array.of(3), ip('10.0.0.255'), 9), { reason: 'broadcast-not-allowed' });
  hosts[1].ip.join(ip('239.1.2.3'));
  sender.send(Uint8Array.of(4), ip('239.1.2.3'), 9, { interfaceName: 'eth0' });
  run(world, ms(10));
  assert.deepEqual(heard.sort(), ['a1', 'a2', 'b1', 'b2', 'b4', 'c1', 'c2']);
});

test('RFC 2644: a router does not forward directed broadcasts', () => {
  const world = new TestWorld();
  const { a } = world.line();
  a.udp.open()?.send(Uint8Array.of(1), ip('10.0.2.255'), 9);
  run(world, ms(10));
  assert.deepEqual(world.drops('r'), ['broadcast-not-forwarded']);
});

test('RFC 1122 §3.2.1.3: martians, foreign datagrams and bad headers are counted by reason', () => {
  const world = new TestWorld();
  const { a, b } = world.pair();
  const own = b.ip.interfaces[0];
  const send = (change: (bytes: Uint8Array) => void): void => {
    const packet = Packet.of(new Uint8Array(8), HEADROOM);
    a.ip.interfaces[0].arp.set(ip('10.0.0.2'), own.mac, true);
    a.ip.send({ packet, source: ip('10.0.0.1'), destination: ip('10.0.0.2'), protocol: 99 });
    const bytes = packet.view().slice(14);
    change(bytes);
    ipv4.f.headerChecksum.set(bytes, 0, 0);
    let sum = 0;
    for (let at = 0; at < 20; at += 2) sum += bytes[at] * 256 + bytes[at + 1];
    ipv4.f.headerChecksum.set(bytes, 0, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
    b.ip.ipv4Arrives(own, Packet.over(bytes, 0, true), false);
  };
  send(bytes => ipv4.f.source.set(bytes, 0, ip('127.0.0.1')));
  send(bytes => ipv4.f.source.set(bytes, 0, ip('224.0.0.1')));
  send(bytes => ipv4.f.destination.set(bytes, 0, ip('10.0.0.77')));
  assert.deepEqual(world.drops('b'), ['martian-source', 'martian-source', 'not-for-us']);
});

test('RFC 7126 §4.3: source routes are not followed; RFC 792: bad options name the octet', () => {
  const world = new TestWorld();
  const { a } = world.pair();
  const send = (options: Uint8Array): void => {
    const packet = Packet.of(new Uint8Array(8), HEADROOM);
    a.ip.send({ packet, source: ip('10.0.0.1'), destination: ip('10.0.0.2'), protocol: 99, options });
  };
  send(encodeIpv4Options([{ kind: 131, data: Uint8Array.of(4, 10, 0, 0, 9) }]));
  send(Uint8Array.of(7, 60, 0, 0));
  run(world, ms(10));
  assert.deepEqual(world.drops('b'), ['source-routed', 'ip-options']);
  assert.equal(world.events('icmp', 'a').find(e => e.action === 'received')?.message, 'parameter problem');
});

test('RFC 1812 §5.2.7.2: a redirect teaches a host the better router, RFC 1122 §3.2.2.2', async () => {
  const world = new TestWorld();
  const hub = new Switch('s', world.clock);
  const plug = (name: string, address: string, router = false) => {
    const cable = world.cable(name);
    hub.attach(cable.b);
    const host = world.host(name, { router });
    host.attach(cable.a, address);
    return host;
  };
  const a = plug('a', '10.0.0.1/24');
  const [r1, r2] = [plug('r1', '10.0.0.254/24', true), plug('r2', '10.0.0.253/24', true)];
  const b = world.host('b');
  const cable = world.cable('r2:b');
  r2.attach(cable.a, '10.0.9.1/24');
  b.attach(cable.b, '10.0.9.2/24');
  a.route('default', '10.0.0.254');
  r1.route('10.0.9.0/24', '10.0.0.253');
  b.route('default', '10.0.9.1');
  r2.route('default', '10.0.0.254');
  const results = await world.clock.until(a.ping('10.0.9.2', { count: 3 }));
  assert.ok(results.every(r => r.rtt !== undefined));
  assert.equal(a.ip.routes.lookup(ip('10.0.9.2'))?.via, ip('10.0.0.253'));
  assert.equal(world.events('icmp', 'r1').filter(e => e.message === 'redirect').length, 1);
});

test('loopback: a host reaches itself, on 127.0.0.1 and on its own addresses', async () => {
  const world = new TestWorld();
  const { a } = world.pair();
  for (const address of ['127.0.0.1', '10.0.0.1']) {
    const [result] = await world.clock.until(a.ping(address, { count: 1 }));
    assert.equal(result.rtt, 0, address);
  }
  assert.equal(world.events('frame').length, 0);
});

test('RFC 1812 §4.3.2.8: errors are limited in number', () => {
  const world = new TestWorld();
  const { a } = world.pair();
  const socket = a.udp.open();
  for (let n = 0; n < 60; n++) socket?.send(new Uint8Array(1), ip('10.0.0.2'), 1000 + n);
  run(world, ms(5));
  for (let n = 0; n < 40; n++) socket?.send(new Uint8Array(1), ip('10.0.0.2'), 2000 + n);
  run(world, ms(5));
  assert.equal(world.events('icmp', 'b').filter(e => e.action === 'sent').length, 50);
  assert.ok(world.drops('b').includes('icmp-rate-limit'));
});

test('ICMP types have names for a person', () => {
  assert.equal(ICMP.timeExceeded, 11);
});
