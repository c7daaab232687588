import assert from 'node:assert/strict';
import { minutes, ms, seconds } from '../../src/base/instant.ts';
import { Exchange, established, exchange } from './exchange.ts';

exchange('RFC 9293 §3.5, figure 6: the three-way handshake, active side', () => {
  const t = new Exchange();
  t.open();
  t.sends('S 0:0(0) win 65535 <mss 1000,sackOK>');
  assert.equal(t.state, 'SYN_SENT');
  t.gets('S. 0:0(0) ack 1 win 1000 <mss 500,sackOK>');
  t.sends('. 1:1(0) ack 1');
  assert.equal(t.state, 'ESTABLISHED');
  assert.ok(t.heard('established'));
});

exchange('RFC 9293 §3.5: the three-way handshake, passive side', () => {
  const t = new Exchange();
  t.accept('S 0:0(0) win 1000 <mss 500,sackOK>');
  t.sends('S. 0:0(0) ack 1 <mss 1000,sackOK>');
  assert.equal(t.state, 'SYN_RCVD');
  t.gets('. 1:1(0) ack 1');
  t.silent();
  assert.equal(t.state, 'ESTABLISHED');
});

exchange('RFC 9293 §3.5, figure 7: simultaneous open', () => {
  const t = new Exchange();
  t.open();
  t.sends('S 0:0(0)');
  t.gets('S 0:0(0) win 1000 <mss 500>');
  t.sends('S. 0:0(0) ack 1');
  assert.equal(t.state, 'SYN_RCVD');
  t.gets('S. 0:0(0) ack 1 <mss 500>');
  t.silent();
  assert.equal(t.state, 'ESTABLISHED');
});

exchange('RFC 9293 §3.5, figure 8: an old duplicate SYN is undone by a RST', () => {
  const t = new Exchange();
  t.open();
  t.sends('S 0:0(0)');
  // The other end answers an old SYN of ours, from sequence number 500 below.
  t.gets('S. 0:0(0) ack -499');
  t.sends('R -499:-499(0)');
  assert.equal(t.state, 'SYN_SENT');
  t.gets('S. 0:0(0) ack 1 <mss 500>');
  t.sends('. 1:1(0) ack 1');
  assert.equal(t.state, 'ESTABLISHED');
});

exchange('RFC 9293 §3.10.7.4, second: a RST in SYN_RCVD of a passive open ends it without an error', () => {
  const t = new Exchange();
  t.accept('S 0:0(0) <mss 500>');
  t.ignoreSent();
  t.gets('R 1:1(0)');
  assert.equal(t.state, 'CLOSED');
  assert.equal(t.heard('error'), undefined);
});

exchange('RFC 9293 §3.10.7.3: a RST that acknowledges the SYN refuses the connection', () => {
  const t = new Exchange();
  t.open();
  t.ignoreSent();
  t.gets('R. 0:0(0) ack 1');
  assert.equal(t.state, 'CLOSED');
  assert.deepEqual(t.heard('error'), { type: 'error', code: 'ECONNREFUSED', why: 'a RST answered the SYN' });
});

exchange('RFC 5961 §3.2: a RST without an acceptable ACK does not refuse it', () => {
  const t = new Exchange();
  t.open();
  t.ignoreSent();
  t.gets('R 0:0(0)', 'R. 0:0(0) ack 2');
  t.silent();
  assert.equal(t.state, 'SYN_SENT');
});

exchange(
  'RFC 6298 §5: the SYN is sent again after 1, 2, 4 ... seconds, for at least 3 minutes (RFC 9293 MUST-23)',
  () => {
    const t = new Exchange();
    t.open();
    t.sends('S 0:0(0)');
    t.after(ms(999));
    t.silent();
    t.after(ms(1));
    t.sends('S 0:0(0)');
    t.after(seconds(2));
    t.sends('S 0:0(0)');
    t.after(minutes(3) - seconds(4));
    assert.equal(t.state, 'SYN_SENT');
    t.after(minutes(3));
    assert.equal(t.state, 'CLOSED');
    assert.equal((t.heard('error') as { code: string }).code, 'ETIMEDOUT');
  },
);

exchange('the SYN+ACK is sent again when the SYN comes again', () => {
  const t = new Exchange();
  t.accept('S 0:0(0) <mss 500>');
  t.sends('S. 0:0(0) ack 1');
  t.gets('S 0:0(0) <mss 500>');
  t.sends('S. 0:0(0) ack 1');
});

exchange('RFC 9293 §3.7.1: without an MSS option segments carry 536 bytes', () => {
  const t = established({ peerOptions: '' });
  t.write(600);
  t.sends('. 1:537(536) ack 1', 'P. 537:601(64) ack 1');
});

exchange('RFC 7323 §2.2: windows are scaled only when both SYNs say so, and never in a SYN', () => {
  const t = established({ windowScaling: true, receiveBuffer: 1 << 20, window: 100, peerOptions: 'mss 1000,wscale 3' });
  t.write(3000);
  // The SYN+ACK's window of 100 bytes is meant as it stands.
  t.sends('P. 1:101(100) ack 1'.replace('P.', '.'));
  t.gets('. 1:1(0) ack 101 win 1000');
  t.sends('. 101:1101(1000) ack 1', '. 1101:2101(1000) ack 1', 'P. 2101:3001(900) ack 1');
});

exchange('RFC 7323 §3.2: timestamps are used only when both SYNs carry them', () => {
  const t = established({ timestamps: true, peerOptions: 'mss 1000,TS val 77 ecr 0' });
  t.write(2000);
  const [first] = t.ignoreSent();
  assert.equal(first.hasTimestamps, true);
  const data = new Exchange({ timestamps: true });
  data.open();
  assert.equal(data.ignoreSent()[0].hasTimestamps, true);
  data.gets('S. 0:0(0) ack 1 <mss 1000>');
  assert.equal(data.ignoreSent()[0].hasTimestamps, false);
});
