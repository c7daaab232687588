/** IPv6 from neighbour discovery to a web page by name: the same applications, and no IPv4 anywhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthoritativeServer, Zone } from '../../src/application/dns/authoritative.ts';
import { DnsCache } from '../../src/application/dns/cache.ts';
import { Forwarder } from '../../src/application/dns/forwarder.ts';
import { AddressLookup } from '../../src/application/dns/lookup.ts';
import { DnsServer } from '../../src/application/dns/server.ts';
import { NameError } from '../../src/application/dns/types.ts';
import { HttpClient } from '../../src/application/http1/client.ts';
import { Headers } from '../../src/application/http1/headers.ts';
import { HttpServer, type RequestHandler } from '../../src/application/http1/server.ts';
import { ms, seconds } from '../../src/base/instant.ts';
import type { Host } from '../../src/host/host.ts';
import { NetworkError } from '../../src/socket/errors.ts';
import { ETHERTYPE, prependEthernet } from '../../src/wire/ethernet.ts';
import { addressWords } from '../../src/wire/ip-address.ts';
import { PROTOCOL } from '../../src/wire/ipv4.ts';
import { prependIpv6 } from '../../src/wire/ipv6.ts';
import { Packet } from '../../src/wire/packet.ts';
import { TestWorld } from '../lib/world.ts';

const [CLIENT, SERVER] = ['fd00::1', 'fd00::2'];

/** Two hosts on an Ethernet cable that have no IPv4 address. */
function pair(): { world: TestWorld; a: Host; b: Host } {
  const world = new TestWorld();
  const cable = world.cable('a:b', { delay: ms(1) }, ['a', 'b']);
  const [a, b] = [world.host('a'), world.host('b')];
  a.enableIpv6(a.attach(cable.a), `${CLIENT}/64`);
  b.enableIpv6(b.attach(cable.b), `${SERVER}/64`);
  // Addresses are tentative until duplicate address detection is over (RFC 4862 §5.4).
  world.clock.runSync(seconds(3));
  return { world, a, b };
}

test('RFC 4861, RFC 768 over RFC 8200: a neighbour is found, and datagrams go there and back', () => {
  const { world, a, b } = pair();
  const echo = b.udp.open(7);
  const socket = a.udp.open();
  assert.ok(echo && socket);
  echo.onMessage = ({ from, fromPort, bytes }) => void echo.send(bytes, from, fromPort);
  const got: string[] = [];
  socket.onMessage = ({ from, fromPort, bytes }) => void got.push(`${from} ${fromPort} ${bytes.length}`);
  assert.equal(socket.send(new Uint8Array(100), SERVER, 7), undefined);
  world.clock.runSync(world.clock.now() + seconds(2));
  assert.deepEqual(got, [`${SERVER} 7 100`]);
});

test('RFC 4443 §3.1: nobody listens on the port, and the sender is told', () => {
  const { world, a } = pair();
  const errors: string[] = [];
  const socket = a.network.datagram(
    {},
    { message: () => {}, error: (error, to) => void errors.push(`${(error as NetworkError).code} ${to.address}`) },
  );
  socket.send(new Uint8Array(1), { address: SERVER, port: 9 });
  world.clock.runSync(world.clock.now() + seconds(2));
  assert.deepEqual(errors, [`ECONNREFUSED ${SERVER}`]);
});

test('RFC 8200 §8.1: a datagram without a checksum is discarded', () => {
  const { world, a, b } = pair();
  const socket = a.udp.open();
  assert.ok(socket && b.udp.open(7));
  const packet = Packet.of(Uint8Array.of(0, 1, 0, 7, 0, 8, 0, 0));
  const header = { nextHeader: PROTOCOL.udp, hopLimit: 64, trafficClass: 0, flowLabel: 0 };
  prependIpv6(packet, header, addressWords(CLIENT), addressWords(SERVER));
  const [{ own }] = b.ip6.interfaces;
  prependEthernet(packet, own.mac, 0x0200_0000_0001, ETHERTYPE.ipv6);
  own.link.receive(packet.view());
  assert.equal(b.context.drops.get('udp udp-checksum'), 1);
  assert.equal(world.events('drop', 'b').length > 0, true);
});

const PAGE = 'over IPv6';
const ZONE = `$TTL 60
@   SOA ns h ( 1 60 60 60 60 )
@   NS  ns
ns  AAAA ${SERVER}
www AAAA ${SERVER}
txt TXT "no address"
`;

function serve(world: TestWorld, b: Host): void {
  const zone = new AuthoritativeServer();
  zone.add(Zone.parse(ZONE, 'example.test.'));
  new DnsServer(b.context, b.network, (query, response) => zone.handle(query, response));
  const handler: RequestHandler = () => ({
    status: 200,
    headers: new Headers([['Content-Type', 'text/plain']]),
    body: PAGE,
  });
  new HttpServer(handler, { scheduler: world.clock, date: () => 0 }).listen(b.network, 80);
}

function client(a: Host): HttpClient {
  const servers = [{ name: 'ns', address: SERVER }];
  const resolver = new Forwarder(a.context, a.network, {
    who: 'stub',
    servers,
    cache: new DnsCache('host cache', a.context.scheduler),
  });
  return new HttpClient(a.context, a.network, new AddressLookup(resolver));
}

test('a page by an address in brackets (RFC 3986 §3.2.2), and by a name that has an AAAA record (RFC 3596) alone', async () => {
  const { world, a, b } = pair();
  serve(world, b);
  const http = client(a);
  for (const url of [`http://[${SERVER}]/`, 'http://www.example.test/']) {
    const response = await world.clock.until(http.request({ url }));
    assert.equal(response.status, 200, url);
    assert.equal(new TextDecoder().decode(await world.clock.until(response.bytes())), PAGE);
  }
});

test('a name without any address is no server that is down', async () => {
  const { world, a, b } = pair();
  serve(world, b);
  const asked = client(a).request({ url: 'http://txt.example.test/' });
  await assert.rejects(world.clock.until(asked), (error: NameError) => {
    assert.ok(error instanceof NameError);
    assert.match(error.message, /txt\.example\.test exists, but has no address/);
    return true;
  });
});

test('a port that is closed, over IPv6', async () => {
  const { world, a } = pair();
  const http = new HttpClient(a.context, a.network, { lookup: async () => [SERVER] });
  await assert.rejects(world.clock.until(http.request({ url: 'http://x.test:81/' })), (error: NetworkError) => {
    assert.ok(error instanceof NetworkError);
    assert.equal(error.code, 'ECONNREFUSED');
    return true;
  });
});

/** A host, a router and a host; the hosts make their addresses of what the router advertises. */
function line(mtu = 1500): { world: TestWorld; a: Host; r: Host; b: Host } {
  const world = new TestWorld();
  const [left, right] = [
    world.cable('a:r', { delay: ms(1) }, ['a', 'r']),
    world.cable('r:b', { delay: ms(1), mtu }, ['r', 'b']),
  ];
  const [a, r, b] = [world.host('a'), world.host('r', { router: true }), world.host('b')];
  r.enableIpv6(r.attach(left.b), 'fd00:1::1/64');
  r.enableIpv6(r.attach(right.a), 'fd00:2::1/64');
  a.enableIpv6(a.attach(left.a));
  b.enableIpv6(b.attach(right.b));
  world.clock.runSync(seconds(5));
  return { world, a, r, b };
}

const globalOf = (host: Host): string =>
  host.ip6.interfaces[0].addresses.map(own => own.address).find(address => address.startsWith('fd00')) ?? 'none';

test('RFC 4862: addresses of the router’s prefixes, a default route, and a page through the router', async () => {
  const { world, a, b } = line();
  assert.match(globalOf(a), /^fd00:1:/);
  assert.match(globalOf(b), /^fd00:2:/);
  serve(world, b);
  const http = new HttpClient(a.context, a.network, { lookup: async () => [globalOf(b)] });
  const response = await world.clock.until(http.request({ url: 'http://x.test/' }));
  assert.equal(new TextDecoder().decode(await world.clock.until(response.bytes())), PAGE);
});

test('RFC 8201, RFC 4443 §3.2: a router cuts nothing, says what the next link takes, and its sender cuts from then on', () => {
  const { world, a, b } = line(1300);
  const lengths: number[] = [];
  const socket = b.udp.open(7);
  assert.ok(socket);
  socket.onMessage = ({ bytes }) => void lengths.push(bytes.length);
  const sender = a.udp.open();
  for (const length of [1400, 1401]) {
    sender?.send(new Uint8Array(length), globalOf(b), 7);
    world.clock.runSync(world.clock.now() + seconds(2));
  }
  assert.deepEqual(lengths, [1401], 'the first was too big');
  assert.equal(a.ip6.mtuFor(globalOf(b)), 1300);
});

test('RFC 8200 §4.5: what is longer than a packet is cut by its sender and put together by its receiver', () => {
  const { world, a, b } = line();
  const got: Uint8Array[] = [];
  const socket = b.udp.open(7);
  assert.ok(socket);
  socket.onMessage = ({ bytes }) => void got.push(bytes.slice());
  const sent = Uint8Array.from({ length: 5000 }, (_, i) => i & 255);
  assert.equal(a.udp.open()?.send(sent, globalOf(b), 7), undefined);
  world.clock.runSync(world.clock.now() + seconds(2));
  assert.equal(got.length, 1);
  assert.deepEqual(got[0], sent);
});

test('a fragment that is missing: the rest is given up after a minute, and its sender told', () => {
  const { world, a, b } = line();
  const [link] = [b.ip6.interfaces[0].own.link];
  const receive = link.receive;
  let seen = 0;
  // The second fragment is lost on the way.
  link.receive = (frame, unit, given) => {
    const isFragment = frame[14] >> 4 === 6 && frame[20] === 44;
    if (isFragment && ++seen === 2) return;
    receive(frame, unit, given);
  };
  const socket = a.udp.open();
  assert.ok(socket && b.udp.open(7));
  const errors: string[] = [];
  socket.onError = error => void errors.push(`${error.name} ${error.code}`);
  socket.send(new Uint8Array(5000), globalOf(b), 7);
  world.clock.runSync(world.clock.now() + seconds(70));
  assert.equal(b.context.drops.get('ipv6 reassembly-timeout'), 1);
  assert.deepEqual(errors, ['time exceeded 1']);
});

test('RFC 4443 §3.1, §3.3: no route, no such neighbour, and no hops left', () => {
  const { world, a } = line();
  const socket = a.udp.open();
  assert.ok(socket);
  const errors: string[] = [];
  socket.onError = error => void errors.push(`${error.name}, says ${error.reporter}`);
  socket.send(new Uint8Array(1), 'fd00:9::1', 7);
  socket.send(new Uint8Array(1), 'fd00:2::99', 7);
  socket.send(new Uint8Array(1), 'fd00:2::99', 7, { ttl: 1 });
  world.clock.runSync(world.clock.now() + seconds(5));
  assert.deepEqual(errors, [
    'no route to destination, says fd00:1::1',
    'time exceeded, says fd00:1::1',
    'address unreachable, says fd00:1::1',
  ]);
});
