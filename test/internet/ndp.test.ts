/** Neighbour discovery, autoconfiguration and group membership of IPv6, as the RFCs have them, step by step. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ms, seconds } from '../../src/base/instant.ts';
import type { Host } from '../../src/host/host.ts';
import { AddressBook } from '../../src/internet/address-book.ts';
import type { Ipv6Interface } from '../../src/internet/ipv6-interface.ts';
import { bestSource } from '../../src/internet/source-address.ts';
import { Switch } from '../../src/link/switch.ts';
import { multicastMac6, solicitedNode } from '../../src/wire/address6.ts';
import { ETHERTYPE, prependEthernet } from '../../src/wire/ethernet.ts';
import { decodeIcmpv6, encodeIcmpv6, ICMPV6, type Icmpv6Message } from '../../src/wire/icmpv6.ts';
import { addressBytes, addressWords, ipv6At } from '../../src/wire/ip-address.ts';
import { ipv6, NEXT_HEADER, prependIpv6, upperLayerOf } from '../../src/wire/ipv6.ts';
import { joined, macOption, NDP_OPTION, prefixOption } from '../../src/wire/ndp.ts';
import { HEADROOM, Packet } from '../../src/wire/packet.ts';
import { Malformed } from '../../src/wire/reader.ts';
import { TestWorld } from '../lib/world.ts';

/** What a station sends, as far as it is ICMPv6. */
interface Seen {
  type: number;
  source: string;
  destination: string;
  rest: number;
  hopLimit: number;
  body: Uint8Array;
  toMac: number;
}

/** Hosts on a switch, and one more station that is nobody but this test. */
class Lan {
  readonly world = new TestWorld();
  readonly hub = new Switch('hub', this.world.clock);
  readonly seen: Seen[] = [];
  readonly mac = 0x0200_0000_00ff;
  private readonly port;

  constructor() {
    const cable = this.world.cable('station', {}, ['station', 'hub']);
    this.hub.attach(cable.b);
    this.port = cable.a;
    this.port.receive = frame => this.look(frame);
  }

  host(name: string, address?: string, router = false): Host {
    const host = this.world.host(name, { router });
    const cable = this.world.cable(name, {}, [name, 'hub']);
    this.hub.attach(cable.b);
    const own = host.attach(cable.a, address);
    if (address === undefined) host.enableIpv6(own);
    return host;
  }

  run(duration: number): void {
    this.world.clock.runSync(this.world.clock.now() + duration);
  }

  private look(frame: Uint8Array): void {
    if (((frame[12] << 8) | frame[13]) !== ETHERTYPE.ipv6) return;
    const end = 14 + ipv6.size + frame[18] * 256 + frame[19];
    const upper = upperLayerOf(frame, 14, end);
    if (upper?.protocol !== NEXT_HEADER.icmpv6) return;
    const message = decodeIcmpv6(frame, 14, upper.start, end);
    assert.ok(!(message instanceof Malformed), 'its checksum is right');
    const toMac = frame.subarray(0, 6).reduce((sum, byte) => sum * 256 + byte, 0);
    const [source, destination] = [ipv6At(frame, 22), ipv6At(frame, 38)];
    this.seen.push({ ...message, source, destination, hopLimit: frame[21], toMac });
  }

  of(type: number): Seen[] {
    return this.seen.filter(each => each.type === type);
  }

  /** From the station: to a MAC address, or where the group is. */
  say(message: Icmpv6Message, source: string, destination: string, hopLimit = 255, to?: number): void {
    this.packet(encodeIcmpv6(message, source, destination), NEXT_HEADER.icmpv6, source, destination, hopLimit, to);
  }

  packet(packet: Packet, nextHeader: number, source: string, destination: string, hopLimit: number, to?: number): void {
    const header = { nextHeader, hopLimit, trafficClass: 0, flowLabel: 0 };
    prependIpv6(packet, header, addressWords(source), addressWords(destination));
    prependEthernet(packet, to ?? multicastMac6(destination), this.mac, ETHERTYPE.ipv6);
    this.port.send(packet.view());
  }
}

const STATION = 'fe80::ff';
const interfaceOf = (host: Host): Ipv6Interface => host.ip6.interfaces[0];
const macOf = (host: Host): number => interfaceOf(host).mac;
const stateOf = (host: Host, address: string): string =>
  interfaceOf(host)
    .neighbours.list()
    .find(each => each.address === address)?.state ?? 'none';
const ping = (lan: Lan, host: Host, to: string) =>
  lan.world.clock.until(host.ping(to, { count: 1, timeout: seconds(4) })).then(([result]) => result);
const advertisement = (lifetime: number, options: readonly Uint8Array[] = [], hopLimit = 0): Icmpv6Message => ({
  type: ICMPV6.routerAdvertisement,
  code: 0,
  rest: ((hopLimit << 24) | lifetime) >>> 0,
  body: joined([new Uint8Array(8), ...options]),
});
const PREFIX = { prefix: { address: 'fd00:5::', length: 64 }, onLink: true, autonomous: true };

test('RFC 4862 §5.4: an address is asked for before it is ours, from nobody, and then it is', () => {
  const lan = new Lan();
  const a = lan.host('a');
  lan.run(seconds(3));
  const [first] = lan.of(ICMPV6.neighbourSolicitation);
  const own = interfaceOf(a).linkLocal as string;
  assert.equal(first.source, '::');
  assert.equal(first.destination, solicitedNode(own));
  assert.equal(first.body.length, 16, 'without its own MAC address');
  assert.match(own, /^fe80::/);
});

test('RFC 4862 §5.4.3: who has what somebody else tests says so, and the other one does without', () => {
  const lan = new Lan();
  const a = lan.host('a', 'fd00::1/64');
  lan.run(seconds(3));
  const b = lan.host('b', 'fd00::1/64');
  lan.run(seconds(3));
  assert.equal(a.ip6.isLocal('fd00::1'), true);
  assert.equal(b.ip6.isLocal('fd00::1'), false);
  const conflicts = lan.world.events('arp', 'b').filter(event => event.action === 'conflict');
  assert.deepEqual(
    conflicts.map(event => event.address),
    ['fd00::1'],
  );
});

test('RFC 4862 §5.4.3: two who test the same at once both do without', () => {
  const lan = new Lan();
  const hosts = [lan.host('a', 'fd00::1/64'), lan.host('b', 'fd00::1/64')];
  lan.run(seconds(4));
  assert.deepEqual(
    hosts.map(host => host.ip6.isLocal('fd00::1')),
    [false, false],
  );
});

test('RFC 4861 §7.3: REACHABLE, after a while STALE, used in DELAY, and asked by unicast', async () => {
  const lan = new Lan();
  const [a, b] = [lan.host('a', 'fd00::1/64'), lan.host('b', 'fd00::2/64')];
  lan.run(seconds(3));
  assert.ok((await ping(lan, a, 'fd00::2')).rtt !== undefined);
  assert.equal(stateOf(a, 'fd00::2'), 'REACHABLE');
  lan.run(seconds(60));
  const before = lan.world.events('arp', 'a').length;
  assert.ok((await ping(lan, a, 'fd00::2')).rtt !== undefined);
  assert.equal(stateOf(a, 'fd00::2'), 'DELAY');
  lan.run(seconds(6));
  assert.equal(stateOf(a, 'fd00::2'), 'REACHABLE');
  assert.equal(lan.world.events('arp', 'a').length, before, 'nothing was asked of all');
  assert.equal(stateOf(b, 'fd00::1'), 'REACHABLE');
});

test('RFC 4861 §7.3.3: a neighbour that does not answer is forgotten; §7.2.2: then nobody is there', async () => {
  const lan = new Lan();
  const [a, b] = [lan.host('a', 'fd00::1/64'), lan.host('b', 'fd00::2/64')];
  lan.run(seconds(3));
  await ping(lan, a, 'fd00::2');
  b.powered = false;
  lan.run(seconds(60));
  assert.equal((await ping(lan, a, 'fd00::2')).rtt, undefined);
  lan.run(seconds(10));
  assert.equal(stateOf(a, 'fd00::2'), 'none');
  assert.equal((await ping(lan, a, 'fd00::2')).error, 'address unreachable');
});

test('RFC 4861 §7.2.5: an advertisement without the override flag changes nothing but its certainty', async () => {
  const lan = new Lan();
  const [a] = [lan.host('a', 'fd00::1/64'), lan.host('b', 'fd00::2/64')];
  lan.run(seconds(3));
  await ping(lan, a, 'fd00::2');
  const real = interfaceOf(a).neighbours.macOf('fd00::2');
  const body = joined([addressBytes('fd00::2'), macOption(NDP_OPTION.target, lan.mac)]);
  const say = (rest: number, hopLimit = 255): void => {
    lan.say({ type: ICMPV6.neighbourAdvertisement, code: 0, rest, body }, 'fd00::2', 'fd00::1', hopLimit, macOf(a));
    lan.run(ms(10));
  };
  say(0x2000_0000, 254);
  assert.equal(interfaceOf(a).neighbours.macOf('fd00::2'), real, 'a router has forwarded it: forged');
  say(0);
  assert.equal(interfaceOf(a).neighbours.macOf('fd00::2'), real);
  assert.equal(stateOf(a, 'fd00::2'), 'STALE');
  say(0x2000_0000);
  assert.equal(interfaceOf(a).neighbours.macOf('fd00::2'), lan.mac);
});

test('RFC 4861 §6.3.4: hop limit, MTU, default route, prefix; and a lifetime of zero ends the route', () => {
  const lan = new Lan();
  const a = lan.host('a');
  lan.run(seconds(3));
  assert.equal(lan.of(ICMPV6.routerSolicitation).length, 1);
  const mtu = Uint8Array.of(5, 1, 0, 0, 0, 0, 5, 120);
  const options = [macOption(NDP_OPTION.source, lan.mac), mtu, prefixOption({ ...PREFIX, valid: 3600, preferred: 60 })];
  lan.say(advertisement(1800, options, 17), STATION, 'ff02::1', 254);
  lan.run(seconds(2));
  assert.equal(a.ip6.sourceFor('2001:db8::1'), undefined, 'one that was forwarded is nothing');
  lan.say(advertisement(1800, options, 17), STATION, 'ff02::1');
  lan.run(seconds(2));
  const own = a.ip6.sourceFor('2001:db8::1') as string;
  assert.match(own, /^fd00:5:/);
  assert.equal(a.ip6.mtuFor('2001:db8::1'), 1400);
  assert.equal(interfaceOf(a).hopLimit, 17);
  assert.equal(a.ip6.firstHop('2001:db8::1'), STATION);
  assert.equal(a.ip6.firstHop('fd00:5::9'), 'fd00:5::9', 'on this link');
  lan.say(advertisement(0), STATION, 'ff02::1');
  lan.run(ms(10));
  assert.equal(a.ip6.firstHop('2001:db8::1'), undefined);
  assert.equal(a.ip6.sourceFor('fd00:5::9'), own, 'the address is still there');
});

test('RFC 4862 §5.5.3 (e): a short lifetime, perhaps forged, leaves an address two hours', () => {
  const lan = new Lan();
  const a = lan.host('a');
  lan.run(seconds(3));
  const say = (valid: number): void => {
    const options = [prefixOption({ ...PREFIX, valid, preferred: valid })];
    lan.say(advertisement(1800, options), STATION, 'ff02::1');
    lan.run(seconds(2));
  };
  say(86_400);
  say(1);
  lan.run(seconds(7000));
  assert.match(a.ip6.sourceFor('2001:db8::1') ?? 'none', /^fd00:5:/);
  lan.run(seconds(300));
  assert.match(a.ip6.sourceFor('2001:db8::1') ?? 'none', /^fe80:/, 'its time is over');
});

test('a router in use is asked again before its time is over; a world at rest stays so', async () => {
  const world = new TestWorld();
  const cable = world.cable('a:r', {}, ['a', 'r']);
  const [a, r] = [world.host('a'), world.host('r', { router: true })];
  r.attach(cable.b, 'fd00:1::1/64');
  a.enableIpv6(a.attach(cable.a));
  world.clock.runSync(seconds(10));
  const solicitations = () =>
    world.recorder.events.filter(e => e.kind === 'frame' && e.bytes[54] === ICMPV6.routerSolicitation).length;
  const before = solicitations();
  world.clock.runSync(seconds(1000));
  assert.equal(solicitations(), before);
  await world.clock.until(a.ping('fd00:9::1', { count: 1 }));
  world.clock.runSync(seconds(1020));
  assert.equal(solicitations(), before + 1);
  assert.match(a.ip6.firstHop('fd00:9::1') ?? 'none', /^fe80:/);
});

test('RFC 4861 §8: a router tells of a better one, and its host believes the router in use alone', async () => {
  const lan = new Lan();
  const [a, r] = [lan.host('a', 'fd00::1/64'), lan.host('r', 'fd00::a/64', true)];
  lan.run(seconds(4));
  r.route('fd00:9::/64', STATION);
  await ping(lan, a, 'fd00:9::1');
  lan.run(seconds(1));
  assert.equal(a.ip6.firstHop('fd00:9::1'), STATION);
  assert.notEqual(a.ip6.firstHop('fd00:9::2'), STATION);
  const body = joined([addressBytes(STATION), addressBytes('fd00:9::2')]);
  lan.say({ type: ICMPV6.redirect, code: 0, rest: 0, body }, STATION, 'fd00::1', 255, macOf(a));
  lan.run(seconds(1));
  assert.notEqual(a.ip6.firstHop('fd00:9::2'), STATION);
  assert.equal(a.context.drops.get('ipv6 redirect-not-believed'), 1);
});

test('RFC 3810: groups are told when they are joined and left, and to who asks', () => {
  const lan = new Lan();
  const a = lan.host('a', 'fd00::1/64');
  lan.run(seconds(5));
  const GROUP = 'ff05::77';
  const records = (): string[] =>
    lan.seen
      .splice(0)
      .filter(each => each.type === ICMPV6.listenerReport)
      .flatMap(({ rest, body, hopLimit, destination }) => {
        assert.equal(hopLimit, 1);
        assert.equal(destination, 'ff02::16');
        return Array.from({ length: rest }, (_, n) => `${body[n * 20]} ${ipv6At(body, n * 20 + 4)}`);
      });
  records();
  a.ip6.join(GROUP);
  lan.run(seconds(2));
  assert.deepEqual(records(), [`4 ${GROUP}`, `4 ${GROUP}`]);
  const query: Icmpv6Message = { type: ICMPV6.listenerQuery, code: 0, rest: 1000 << 16, body: new Uint8Array(20) };
  lan.say(query, STATION, 'ff02::1', 1);
  lan.run(seconds(2));
  const own = interfaceOf(a).linkLocal as string;
  assert.deepEqual(records().sort(), [`2 ${solicitedNode('fd00::1')}`, `2 ${solicitedNode(own)}`, `2 ${GROUP}`].sort());
  a.ip6.leave(GROUP);
  lan.run(seconds(2));
  assert.deepEqual(records(), [`3 ${GROUP}`, `3 ${GROUP}`]);
});

test('a datagram to a group reaches its members, the sender among them', () => {
  const lan = new Lan();
  const hosts = ['a', 'b', 'c'].map((name, n) => lan.host(name, `fd00::${n + 1}/64`));
  lan.run(seconds(4));
  const got: string[] = [];
  for (const host of hosts) {
    const socket = host.udp.open(5353);
    assert.ok(socket);
    socket.onMessage = ({ from, to }) => void got.push(`${host.name} ${from} ${to}`);
    if (host.name !== 'c') host.ip6.join('ff02::fb');
  }
  hosts[0].udp.open()?.send(Uint8Array.of(1), 'ff02::fb', 5353);
  lan.run(seconds(1));
  const from = interfaceOf(hosts[0]).linkLocal;
  assert.deepEqual(got.sort(), [`a ${from} ff02::fb`, `b ${from} ff02::fb`]);
});

/** One extension header that names what comes next, then an echo request. */
function withHeader(header: readonly number[]): Packet {
  const packet = Packet.withHeadroom(HEADROOM + 64, 0);
  const echo = encodeIcmpv6(
    { type: ICMPV6.echoRequest, code: 0, rest: 1, body: new Uint8Array(0) },
    STATION,
    'fd00::1',
  );
  const whole = Packet.of(joined([Uint8Array.from(header), echo.view()]), packet.start);
  return whole;
}

test('RFC 8200 §4: extension headers, options that are not known, and the byte that is to blame', () => {
  const lan = new Lan();
  const a = lan.host('a', 'fd00::1/64');
  lan.run(seconds(4));
  const { icmpv6, hopByHop, routing, destinationOptions } = NEXT_HEADER;
  const answers = (nextHeader: number, header: readonly number[]): string[] => {
    lan.seen.length = 0;
    lan.packet(withHeader(header), nextHeader, STATION, 'fd00::1', 64, macOf(a));
    lan.run(ms(10));
    // The station answers no solicitation, so it is told who it is.
    return lan.seen
      .filter(each => each.type === ICMPV6.echoReply || each.type < 128)
      .map(({ type, rest }) => `${type} ${type < 128 ? rest : ''}`.trim());
  };
  const ask = joined([addressBytes('fd00::1'), macOption(NDP_OPTION.source, lan.mac)]);
  lan.say({ type: ICMPV6.neighbourSolicitation, code: 0, rest: 0, body: ask }, STATION, 'fd00::1', 255, macOf(a));
  lan.run(ms(10));
  const padN = [1, 4, 0, 0, 0, 0];
  const unknown = (type: number): number[] => [type, 4, 0, 0, 0, 0];
  assert.deepEqual(answers(destinationOptions, [icmpv6, 0, ...padN]), ['129']);
  assert.deepEqual(answers(hopByHop, [icmpv6, 0, ...padN]), ['129']);
  assert.deepEqual(answers(destinationOptions, [icmpv6, 0, ...unknown(0x1e)]), ['129'], '00: skip over it');
  assert.deepEqual(answers(destinationOptions, [icmpv6, 0, ...unknown(0x5e)]), [], '01: discard');
  assert.deepEqual(answers(destinationOptions, [icmpv6, 0, ...unknown(0x9e)]), ['4 42'], '10: and tell');
  assert.deepEqual(answers(hopByHop, [icmpv6, 0, ...unknown(0xde)]), ['4 42'], '11: and tell, as it went to one');
  assert.deepEqual(answers(routing, [icmpv6, 0, 0, 0, 0, 0, 0, 0]), ['129'], 'no segments left: passed over');
  assert.deepEqual(answers(routing, [icmpv6, 0, 0, 1, 0, 0, 0, 0]), ['4 42'], 'RFC 5095: the routing type');
  assert.deepEqual(answers(destinationOptions, [253, 0, ...padN]), ['4 40'], 'the byte that names what is not known');
  assert.deepEqual(answers(253, [icmpv6, 0, ...padN]), ['4 6']);
  assert.deepEqual(answers(destinationOptions, [icmpv6, 9, ...padN]), [], 'it does not fit');
  assert.deepEqual(answers(destinationOptions, [icmpv6, 0, 1, 9, 0, 0, 0, 0]), ['4 43'], 'an option that does not');
});

test('RFC 6724 §5: the examples of §10.1', () => {
  const best = (destination: string, ...candidates: string[]): string | undefined => {
    const book = new AddressBook();
    const own = candidates.map(address => ({ address, length: 64, preferredUntil: 1e9, validUntil: 1e9 }));
    return bestSource(book, book.of(destination), own, 0);
  };
  assert.equal(best('2001:db8:1::1', '2001:db8:3::1', 'fe80::1'), '2001:db8:3::1');
  assert.equal(best('ff05::1', '2001:db8:3::1', 'fe80::1'), '2001:db8:3::1');
  assert.equal(best('2001:db8:1::1', '2001:db8:1::2', '2001:db8:3::2'), '2001:db8:1::2');
  assert.equal(best('fe80::1', 'fe80::2', '2001:db8:1::1'), 'fe80::2');
  assert.equal(
    best('2002:c633:6401::1', '2002:c633:6401::d5e3:7953:13eb:22e8', '2001:db8:1::2'),
    '2002:c633:6401::d5e3:7953:13eb:22e8',
  );
  assert.equal(best('fd00::1', '2001:db8::1', 'fd00:9::1'), 'fd00:9::1', 'rule 6');
});
