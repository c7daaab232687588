import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, hex, utf8 } from '../../src/base/bytes.ts';
import { dissectFrame } from '../../src/trace/dissect.ts';
import {
  broadcastOf,
  formatIpv4,
  formatIpv6,
  formatMac,
  inPrefix,
  ip,
  multicastMac,
  parseIpv4,
  parseIpv6,
  parseMac,
  parsePrefix,
  prefix,
} from '../../src/wire/address.ts';
import { arp, decodeArp, encodeArp } from '../../src/wire/arp.ts';
import { decodeEthernet, ETHERTYPE, ethernet, prependEthernet } from '../../src/wire/ethernet.ts';
import { decodeIcmp, encodeIcmp, icmp } from '../../src/wire/icmp.ts';
import { addressSum } from '../../src/wire/ip-address.ts';
import {
  checkIpv4,
  decodeIpv4,
  decrementTtl,
  encodeIpv4Options,
  ipv4,
  parseIpv4Options,
  prependIpv4,
} from '../../src/wire/ipv4.ts';
import { HEADROOM, Packet } from '../../src/wire/packet.ts';
import { Malformed, Reader } from '../../src/wire/reader.ts';
import { decodeTcp, prependTcp, Segment, tcp } from '../../src/wire/tcp.ts';
import { tcpOptionsLength } from '../../src/wire/tcp-options.ts';
import { checkUdp, prependUdp, udp } from '../../src/wire/udp.ts';
import { record } from '../lib/arbitrary.ts';
import { assertTiles } from '../lib/spans.ts';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u48 = fc.integer({ min: 0, max: 0xffff_ffff_ffff });

test('every layout: a field that is set is read back, and touches no other', () => {
  for (const layout of [ethernet, arp, ipv4, icmp, udp, tcp]) {
    for (const field of layout.fields) {
      const limit = 2 ** field.bits;
      for (const value of [0, 1, limit - 1, Math.floor(limit / 3)]) {
        for (const fill of [0, 0xff]) {
          const bytes = new Uint8Array(layout.size + 3).fill(fill);
          const others = layout.fields.filter(other => other !== field).map(other => other.get(bytes, 3));
          field.set(bytes, 3, value);
          // Sequence numbers are read as signed integers.
          const got = field.get(bytes, 3);
          assert.equal(got < 0 ? got + limit : got, value, `${layout.name}.${field.name}`);
          assert.deepEqual(
            layout.fields.filter(other => other !== field).map(other => other.get(bytes, 3)),
            others,
          );
        }
      }
    }
    assertTiles(layout.spans(new Uint8Array(layout.size), 0), 0, layout.size);
  }
});

test('addresses and their text', () => {
  assert.equal(formatIpv4(ip('203.0.113.80')), '203.0.113.80');
  for (const bad of ['1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.4 ', 'a.b.c.d', ''])
    assert.equal(parseIpv4(bad), undefined);
  assert.equal(formatMac(parseMac('02:00:00:00:00:0a') as number), '02:00:00:00:00:0a');
  assert.equal(parseMac('02:00:00:00:00'), undefined);
  assert.ok(inPrefix(ip('10.1.2.3'), prefix('10.1.0.0/16')) && !inPrefix(ip('10.2.0.0'), prefix('10.1.0.0/16')));
  assert.equal(formatIpv4(broadcastOf(prefix('192.168.1.20/24')) as number), '192.168.1.255');
  assert.equal(broadcastOf(prefix('192.168.1.20/31')), undefined);
  for (const bad of ['10.0.0.1', '10.0.0.1/33', '10.0.0.1/x', '10.0.0.1/8/8'])
    assert.equal(parsePrefix(bad), undefined);
  assert.equal(formatMac(multicastMac(ip('224.129.1.2'))), '01:00:5e:01:01:02', 'RFC 1112 §6.4: 23 bits');
  fc.assert(fc.property(u32, n => parseIpv4(formatIpv4(n)) === n));
});

test('RFC 5952: IPv6 text, shortest form', () => {
  const examples = ['2001:db8::1', '::', '::1', '1::', '2001:db8:0:1:1:1:1:1', '2001:0:0:1::1', 'fe80::1:0:0:1'];
  for (const text of examples) assert.equal(formatIpv6(parseIpv6(text) as Uint8Array), text);
  assert.equal(formatIpv6(parseIpv6('2001:0DB8:0:0:0:0:0:1') as Uint8Array), '2001:db8::1');
  for (const bad of ['1', '1:2:3:4:5:6:7:8:9', '::1::', 'g::', '1:2:3:4:5:6:7:8::'])
    assert.equal(parseIpv6(bad), undefined);
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 0, 1, 0xabcd), { minLength: 8, maxLength: 8 }), groups => {
      const bytes = Uint8Array.from(groups.flatMap(g => [g >> 8, g & 255]));
      assert.deepEqual(parseIpv6(formatIpv6(bytes)), bytes);
    }),
  );
});

test('Ethernet II: the header encodes and decodes', () => {
  fc.assert(
    fc.property(u48, u48, u16, (destination, source, type) => {
      const packet = Packet.of(new Uint8Array(3));
      prependEthernet(packet, destination, source, type);
      assert.deepEqual(decodeEthernet(packet.bytes, packet.start), { destination, source, type });
    }),
  );
  assert.equal(decodeEthernet(new Uint8Array(13)), undefined);
});

test('RFC 826: ARP encodes and decodes', () => {
  const message = record({ operation: u16, senderMac: u48, senderIp: u32, targetMac: u48, targetIp: u32 });
  fc.assert(fc.property(message, m => assert.deepEqual(decodeArp(encodeArp(m)), m)));
  assert.ok(decodeArp(new Uint8Array(27)) instanceof Malformed);
  assert.ok(decodeArp(new Uint8Array(28)) instanceof Malformed, 'hardware type 0');
});

test('RFC 791: the IPv4 header encodes and decodes, with its checksum', () => {
  const header = record({
    source: u32,
    destination: u32,
    protocol: u8,
    ttl: fc.integer({ min: 1, max: 255 }),
    trafficClass: u8,
    identification: u16,
    dontFragment: fc.boolean(),
    moreFragments: fc.boolean(),
    fragmentOffset: fc.nat(8191).map(n => n * 8),
    options: fc.nat(10).chain(n => fc.uint8Array({ minLength: n * 4, maxLength: n * 4 })),
  });
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 50 }), (h, data) => {
      const packet = Packet.of(data);
      prependIpv4(packet, h);
      assert.equal(checkIpv4(packet.bytes, packet.start, packet.end), undefined);
      assert.deepEqual(decodeIpv4(packet.bytes, packet.start), h);
      decrementTtl(packet.bytes, packet.start);
      assert.equal(
        checkIpv4(packet.bytes, packet.start, packet.end),
        undefined,
        'RFC 1141: the adjusted checksum holds',
      );
    }),
  );
});

test('RFC 1122 §3.2.1: what is wrong with a header is said', () => {
  const good = Packet.of(new Uint8Array(8));
  prependIpv4(good, {
    ...decodeIpv4(new Uint8Array(20)),
    source: 1,
    destination: 2,
    protocol: 17,
    ttl: 9,
    options: new Uint8Array(0),
  });
  const bytes = good.view();
  const broken = (at: number, value: number): string | undefined => {
    const copy = bytes.slice();
    copy[at] = value;
    return checkIpv4(copy, 0, copy.length);
  };
  assert.equal(broken(0, 0x65), 'ip-version');
  assert.equal(broken(0, 0x44), 'ip-header-length');
  assert.equal(broken(2, 0x40), 'ip-truncated');
  assert.equal(broken(8, 99), 'ip-checksum');
  assert.equal(checkIpv4(bytes, 0, 19), 'ip-truncated');
});

test('RFC 791 §3.1: options, and what is wrong with them', () => {
  const options = [
    { kind: 7, data: Uint8Array.of(4, 0, 0, 0, 0) },
    { kind: 200, data: Uint8Array.of(1, 2) },
  ];
  const bytes = encodeIpv4Options(options);
  assert.equal(bytes.length % 4, 0);
  assert.deepEqual(parseIpv4Options(new Reader(bytes)), options);
  const bad = new Reader(Uint8Array.of(7, 40, 0, 0));
  parseIpv4Options(bad);
  assert.equal(bad.ok, false);
  assert.throws(() => encodeIpv4Options([{ kind: 7, data: new Uint8Array(39) }]), RangeError);
});

test('RFC 792: ICMP encodes and decodes, with its checksum', () => {
  const message = record({ type: u8, code: u8, rest: u32, body: fc.uint8Array({ maxLength: 70 }) });
  fc.assert(fc.property(message, m => assert.deepEqual(decodeIcmp(encodeIcmp(m).view()), m)));
  const broken = encodeIcmp({ type: 8, code: 0, rest: 0, body: utf8('x') }).view();
  broken[8] ^= 1;
  assert.ok(decodeIcmp(broken) instanceof Malformed);
});

test('RFC 768: UDP checksums, made and verified; zero means none', () => {
  fc.assert(
    fc.property(
      u32,
      u32,
      u16,
      u16,
      fc.uint8Array({ maxLength: 60 }),
      (source, destination, sourcePort, destinationPort, data) => {
        const packet = Packet.of(data, HEADROOM + udp.size);
        prependUdp(packet, { sourcePort, destinationPort }, addressSum(source) + addressSum(destination));
        const { bytes, start, end } = packet;
        assert.notEqual(udp.f.checksum.get(bytes, start), 0);
        prependIpv4(packet, {
          source,
          destination,
          protocol: 17,
          ttl: 64,
          trafficClass: 0,
          identification: 0,
          dontFragment: false,
          moreFragments: false,
          fragmentOffset: 0,
          options: new Uint8Array(0),
        });
        const header = packet.start;
        assert.equal(checkUdp(packet.memory, header, start, end), undefined);
        bytes[start] ^= 0x10;
        assert.equal(checkUdp(packet.memory, header, start, end), 'udp-checksum');
        udp.f.checksum.set(bytes, start, 0);
        assert.equal(checkUdp(packet.memory, header, start, end), undefined);
      },
    ),
  );
});

const segments = record({
  sourcePort: u16,
  destinationPort: u16,
  seq: fc.integer(),
  ack: fc.integer(),
  flags: fc.nat(0x1ff),
  window: u16,
  urgentPointer: u16,
  mss: fc.option(u16, { nil: -1 }),
  windowScale: fc.option(fc.nat(14), { nil: -1 }),
  sackPermitted: fc.boolean(),
  timestamps: fc.option(fc.tuple(fc.integer(), fc.integer()), { nil: undefined }),
  sack: fc.array(record({ start: fc.integer(), end: fc.integer() }), { maxLength: 2 }),
  data: fc.uint8Array({ maxLength: 30 }),
});

test('RFC 9293 §3.1: segments encode and decode, all options in all combinations', () => {
  fc.assert(
    fc.property(segments, ({ timestamps, data, ...fields }) => {
      const segment = Object.assign(new Segment(), fields);
      segment.hasTimestamps = timestamps !== undefined;
      if (timestamps) [segment.tsVal, segment.tsEcr] = timestamps;
      if (tcpOptionsLength(segment) > 40) return;
      const length = tcp.size + tcpOptionsLength(segment);
      const packet = Packet.of(data, length);
      prependTcp(packet, segment, length);
      const got = decodeTcp(packet.view());
      assert.ok(got instanceof Segment);
      assert.deepEqual(got.payload, data);
      for (const key of [
        'seq',
        'ack',
        'flags',
        'window',
        'mss',
        'windowScale',
        'sackPermitted',
        'hasTimestamps',
        'tsVal',
        'tsEcr',
        'sack',
      ] as const) {
        assert.deepEqual(got[key], segment[key], key);
      }
    }),
  );
});

test('RFC 9293 §3.1 (MUST-6, MUST-7): unknown options are kept, illegal lengths are noticed', () => {
  const segment = new Segment();
  segment.unknownOptions = [{ kind: 254, data: Uint8Array.of(1, 2, 3) }];
  const length = tcp.size + tcpOptionsLength(segment);
  const packet = Packet.withHeadroom(length, 0);
  prependTcp(packet, segment, length);
  const bytes = packet.view();
  const got = decodeTcp(bytes);
  assert.ok(
    got instanceof Segment && got.unknownOptions[0].kind === 254 && hex(got.unknownOptions[0].data) === '010203',
  );
  for (const bad of ['02000000', '02ff0000', '05010000', '08']) {
    const broken = new Uint8Array(24);
    broken[12] = 0x60;
    broken.set(fromHex(bad), 20);
    assert.ok(decodeTcp(broken) instanceof Malformed || bad === '08', bad);
  }
});

test('dissections tile the frame, whatever it holds', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.constantFrom(ETHERTYPE.ipv4, ETHERTYPE.ipv6, ETHERTYPE.arp, 0x1234),
      (data, type) => {
        const packet = Packet.of(data);
        prependEthernet(packet, 1, 2, type);
        const frame = packet.view();
        assertTiles(dissectFrame(frame), 0, frame.length);
      },
    ),
  );
});
