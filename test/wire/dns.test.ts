import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, utf8 } from '../../src/base/bytes.ts';
import { decodeDns, emptyMessage, encodeDns, parseDns } from '../../src/wire/dns.ts';
import {
  absoluteName,
  canonicalName,
  isWithin,
  labelsOf,
  labelText,
  parentOf,
  readName,
} from '../../src/wire/dns-name.ts';
import type { DnsMessage, RData, ResourceRecord } from '../../src/wire/dns-types.ts';
import { RR } from '../../src/wire/dns-types.ts';
import { Malformed, Reader, RecordingReader } from '../../src/wire/reader.ts';
import { record } from '../lib/arbitrary.ts';
import { assertTiles } from '../lib/spans.ts';

const label = fc.uint8Array({ minLength: 1, maxLength: 12 }).map(labelText);
const name = fc.array(label, { maxLength: 5 }).map(labels => (labels.length === 0 ? '.' : `${labels.join('.')}.`));
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u16 = fc.nat(0xffff);

const data: fc.Arbitrary<RData> = fc.oneof(
  record({ type: fc.constant('A' as const), address: u32 }),
  record({ type: fc.constant('AAAA' as const), address: fc.uint8Array({ minLength: 16, maxLength: 16 }) }),
  record({ type: fc.constantFrom('CNAME' as const, 'NS' as const, 'PTR' as const), name }),
  record({
    type: fc.constant('SOA' as const),
    mname: name,
    rname: name,
    serial: u32,
    refresh: u32,
    retry: u32,
    expire: u32,
    minimum: u32,
  }),
  record({ type: fc.constant('MX' as const), preference: u16, exchange: name }),
  record({
    type: fc.constant('TXT' as const),
    strings: fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 3 }),
  }),
  record({ type: fc.constant('SRV' as const), priority: u16, weight: u16, port: u16, target: name }),
  record({
    type: fc.constant('other' as const),
    rrType: fc.integer({ min: 256, max: 65535 }),
    bytes: fc.uint8Array({ maxLength: 30 }),
  }),
);
const resourceRecord: fc.Arbitrary<ResourceRecord> = record({ name, class: u16, ttl: fc.nat(0x7fff_ffff), data });
const records = fc.array(resourceRecord, { maxLength: 4 });
const message: fc.Arbitrary<DnsMessage> = record({
  id: u16,
  response: fc.boolean(),
  opcode: fc.nat(15),
  authoritative: fc.boolean(),
  truncated: fc.boolean(),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  rcode: fc.nat(15),
  questions: fc.array(record({ name, type: u16, class: u16 }), { maxLength: 2 }),
  answers: records,
  authorities: records,
  additionals: records,
  edns: fc.option(
    record({
      udpPayloadSize: u16,
      extendedRcode: fc.constant(0),
      version: fc.nat(255),
      dnssecOk: fc.boolean(),
      options: fc.uint8Array({ maxLength: 20 }),
    }),
    { nil: undefined },
  ),
});

test('RFC 1035 §4: messages encode and decode, names compressed, and the dissection tiles them', () => {
  fc.assert(
    fc.property(message, m => {
      const bytes = encodeDns(m);
      assert.deepEqual(decodeDns(bytes), m);
      const reader = new RecordingReader(bytes);
      parseDns(reader);
      assertTiles(reader.recorded, 0, bytes.length);
    }),
  );
});

test('RFC 1035 §4.1.4: a name is compressed where it repeats', () => {
  const m = emptyMessage(1, 'www.example.test.', RR.A);
  m.answers.push({ name: 'www.example.test.', class: 1, ttl: 60, data: { type: 'CNAME', name: 'web.example.test.' } });
  // Question 16 + 2 + 4; answer: pointer 2, fixed 10, data: 'web' 4 and a pointer 2.
  assert.equal(encodeDns(m).length, 12 + 18 + 4 + 2 + 10 + 6);
});

test('RFC 1035 §4.1.4: pointers that loop, point forwards or out of the message are refused', () => {
  const head = '000180000001000000000000';
  for (const bad of ['c00c00010001', 'c00e00010001', 'c0ff00010001', '03777777c00c00010001', 'ff00010001', '3f6161']) {
    const decoded = decodeDns(fromHex(head + bad));
    assert.ok(decoded instanceof Malformed, bad);
  }
});

test('RFC 1035 §2.3.4: labels of 63 and names of 255 octets are the limit', () => {
  const long = 'a'.repeat(63);
  assert.ok(absoluteName(`${long}.${long}.${long}.${'b'.repeat(61)}`) !== undefined);
  assert.equal(absoluteName(`${long}.${long}.${long}.${'b'.repeat(62)}`), undefined);
  assert.equal(absoluteName('a'.repeat(64)), undefined);
  for (const bad of ['a..b', '.a', '..']) assert.equal(absoluteName(bad), undefined, bad);
});

test('RFC 4343: escapes in names survive', () => {
  const labels = labelsOf('a\\.b.c\\\\d.\\007x.') as Uint8Array[];
  assert.deepEqual(
    labels.map(l => [...l]),
    [[...utf8('a.b')], [...utf8('c\\d')], [7, 120]],
  );
  const bytes = Uint8Array.from([...labels.flatMap(l => [l.length, ...l]), 0]);
  assert.equal(readName(new Reader(bytes), 'name'), 'a\\.b.c\\\\d.\\007x.');
});

test('names above and below one another', () => {
  assert.equal(parentOf('www.example.test.'), 'example.test.');
  assert.equal(parentOf('test.'), '.');
  assert.equal(parentOf('.'), undefined);
  assert.equal(parentOf('a\\.b.test.'), 'test.');
  assert.ok(isWithin('WWW.Example.test.', 'example.TEST.') && isWithin('x.', '.'));
  assert.ok(!isWithin('badexample.test.', 'example.test.'));
  assert.equal(canonicalName('WwW.TeSt.'), 'www.test.');
});

test('RFC 2181 §8: a TTL with its highest bit set is zero', () => {
  const m = emptyMessage(1, 'a.', RR.A);
  m.answers.push({ name: 'a.', class: 1, ttl: 0x8000_0001, data: { type: 'A', address: 1 } });
  const decoded = decodeDns(encodeDns(m));
  assert.ok(!(decoded instanceof Malformed) && decoded.answers[0].ttl === 0);
});
