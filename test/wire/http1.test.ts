import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import {
  decodeRequestHead,
  decodeResponseHead,
  encodeRequestHead,
  encodeResponseHead,
  findHeadEnd,
  parseChunkSize,
  parseRequestHead,
} from '../../src/wire/http1.ts';
import { Malformed, RecordingReader } from '../../src/wire/reader.ts';
import { assertTiles } from '../lib/spans.ts';

const request = (text: string): ReturnType<typeof decodeRequestHead> => decodeRequestHead(utf8(text));

test('RFC 9112 §3: a request head, and back', () => {
  const text = 'GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n';
  const head = request(text);
  assert.ok(!(head instanceof Malformed));
  assert.deepEqual(head, {
    method: 'GET',
    target: '/a?b=c',
    version: '1.1',
    headers: [
      ['Host', 'x'],
      ['X-Empty', ''],
      ['X-Two', '1'],
      ['X-Two', '2'],
    ],
  });
  assert.deepEqual(decodeRequestHead(encodeRequestHead(head)), head);
  const reader = new RecordingReader(utf8(text));
  parseRequestHead(reader);
  assertTiles(reader.recorded, 0, text.length);
});

test('RFC 9112 §4: a status line, its reason perhaps absent', () => {
  for (const [line, reason] of [
    ['HTTP/1.1 200 OK', 'OK'],
    ['HTTP/1.0 404 ', ''],
    ['HTTP/1.1 299', ''],
    ['HTTP/1.1 200 Ganz gut', 'Ganz gut'],
  ]) {
    const head = decodeResponseHead(utf8(`${line}\r\n\r\n`));
    assert.ok(!(head instanceof Malformed) && head.reason === reason, line);
  }
});

test('RFC 9112 §2.2, §5: whatever two parties could read differently is malformed', () => {
  const bad = [
    'GET / HTTP/1.1\nHost: x\n\n',
    'GET / HTTP/1.1\r\nHost: x\n\r\n',
    'GET / HTTP/1.1\r\nHost : x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n',
    'GET / HTTP/1.1\r\n Host: x\r\n\r\n',
    'GET / HTTP/1.1\r\nHo\0st: x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n',
    'GET / HTTP/1.1\r\n: x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost\r\n\r\n',
    'GET  / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1 \r\n\r\n',
    'GET / http/1.1\r\n\r\n',
    'GET / HTTP/2.0\r\n\r\n',
    'GET /\r\n\r\n',
    'G@T / HTTP/1.1\r\n\r\n',
    ' GET / HTTP/1.1\r\n\r\n',
    'GET /\u00e9 HTTP/1.1\r\n\r\n',
  ];
  for (const text of bad) assert.ok(request(text) instanceof Malformed, JSON.stringify(text));
});

test('the end of a head is found, by whatever line ends, so that a bad one is answered at once', () => {
  assert.equal(findHeadEnd(utf8('a\r\n\r\nb'), 0), 5);
  assert.equal(findHeadEnd(utf8('a\n\nb'), 0), 3);
  assert.equal(findHeadEnd(utf8('a\r\nb\r\n'), 0), -1);
});

test('RFC 9112 §7.1: chunk sizes are hexadecimal and nothing else', () => {
  assert.equal(parseChunkSize('1aF'), 0x1af);
  assert.equal(parseChunkSize('0;name=value'), 0);
  for (const bad of ['', '-1', '+1', '0x1', ' 1', '1 ', '1g', '1_0', '1'.repeat(20)])
    assert.equal(parseChunkSize(bad), undefined, bad);
});

test('RFC 9110 §5.5: header injection is not written', () => {
  const head = { method: 'GET', target: '/', version: '1.1' };
  for (const value of ['a\r\nb', 'a\nb', 'a\0', ' a', 'ü\u0100']) {
    assert.throws(() => encodeRequestHead({ ...head, headers: [['X', value]] }), TypeError, JSON.stringify(value));
  }
  assert.throws(() => encodeRequestHead({ ...head, method: 'GE T', headers: [] }), TypeError);
  assert.throws(() => encodeRequestHead({ ...head, target: '/ x', headers: [] }), TypeError);
  assert.throws(() => encodeResponseHead({ version: '1.1', status: 99, reason: '', headers: [] }), TypeError);
});
