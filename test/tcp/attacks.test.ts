import assert from 'node:assert/strict';
import { ms } from '../../src/base/instant.ts';
import { established, exchange } from './exchange.ts';

exchange('RFC 5961 §3.2: a RST resets at RCV.NXT alone, inside the window it is challenged', () => {
  const t = established();
  t.gets('R 2:2(0)');
  t.sends('. 1:1(0) ack 1');
  t.gets('R 100000:100000(0)');
  t.silent();
  assert.equal(t.state, 'ESTABLISHED');
  t.gets('R 1:1(0)');
  assert.equal(t.state, 'CLOSED');
  assert.equal((t.heard('error') as { code: string }).code, 'ECONNRESET');
});

exchange('RFC 5961 §4.2: a SYN on a connection is challenged, wherever it lies', () => {
  const t = established();
  t.gets('S 1:1(0)');
  t.sends('. 1:1(0) ack 1');
  t.gets('S 900000:900000(0)');
  t.sends('. 1:1(0) ack 1');
  assert.equal(t.state, 'ESTABLISHED');
});

exchange('RFC 5961 §5.2: data with an ACK from nowhere is challenged and not taken', () => {
  const t = established();
  t.gets('P. 1:101(100) ack 100000');
  t.sends('. 1:1(0) ack 1');
  t.gets('P. 1:101(100) ack -100000');
  t.sends('. 1:1(0) ack 1');
  assert.equal(t.readable, 0);
});

exchange('RFC 5961 §7: challenges are limited', () => {
  const t = established();
  for (let n = 0; n < 100; n++) t.gets('S 1:1(0)');
  assert.equal(t.ignoreSent().length, 10);
});

exchange('RFC 9293 §3.10.7.4, fifth: a segment without ACK is dropped', () => {
  const t = established();
  t.gets('P 1:101(100)');
  t.silent();
  assert.equal(t.readable, 0);
});

exchange('RFC 9293 §3.4: a segment outside the window is answered, not taken', () => {
  const t = established({ receiveBuffer: 5000 });
  t.gets('P. 50000:50100(100) ack 1');
  t.sends('. 1:1(0) ack 1');
  assert.equal(t.readable, 0);
});

exchange('RFC 7323 §5.3 (PAWS): an old timestamp is a segment from the past', () => {
  const t = established({ timestamps: true, peerOptions: 'mss 1000,sackOK,TS val 1000 ecr 0' });
  t.gets('P. 1:101(100) ack 1 <TS val 1010 ecr 0>');
  t.after(ms(100));
  t.ignoreSent();
  t.gets('P. 101:201(100) ack 1 <TS val 900 ecr 0>');
  assert.equal(t.readable, 100);
  assert.equal(t.ignoreSent().length, 1);
  t.gets('P. 101:201(100) ack 1 <TS val 1020 ecr 0>');
  assert.equal(t.readable, 200);
});

exchange('RFC 7323 §4.3: what is echoed is the timestamp of the segment that moved the left edge', () => {
  const t = established({ timestamps: true, peerOptions: 'mss 1000,sackOK,TS val 1000 ecr 0' });
  t.gets('. 1001:2001(1000) ack 1 <TS val 1005 ecr 0>');
  assert.equal(t.ignoreSent().at(-1)?.tsEcr, 1000, 'out of order: the old one');
  t.gets('. 1:1001(1000) ack 1 <TS val 1007 ecr 0>');
  assert.equal(t.ignoreSent().at(-1)?.tsEcr, 1007);
});

exchange('a flood of tiny out-of-order segments is bounded', () => {
  const t = established({ receiveBuffer: 1 << 20 });
  for (let n = 0; n < 6000; n++) t.gets(`. ${n * 2 + 10}:${n * 2 + 11}(1) ack 1`);
  assert.equal(t.state, 'ESTABLISHED');
  t.ignoreSent();
  t.gets('. 1:10(9) ack 1');
  assert.ok(t.readable >= 9);
});
