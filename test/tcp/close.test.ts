import assert from 'node:assert/strict';
import { minutes, ms, seconds } from '../../src/base/instant.ts';
import { established, exchange } from './exchange.ts';

exchange('RFC 9293 §3.6, figure 12: normal close, the four segments and 2 MSL', () => {
  const t = established();
  t.close();
  t.sends('F. 1:1(0) ack 1');
  assert.equal(t.state, 'FIN_WAIT_1');
  t.gets('. 1:1(0) ack 2');
  assert.equal(t.state, 'FIN_WAIT_2');
  t.gets('F. 1:1(0) ack 2');
  t.sends('. 2:2(0) ack 2');
  assert.equal(t.state, 'TIME_WAIT');
  assert.ok(t.heard('closed'));
  t.after(minutes(4) - 1);
  assert.equal(t.state, 'TIME_WAIT');
  t.after(1);
  assert.equal(t.state, 'CLOSED');
});

exchange('RFC 9293 §3.6, figure 13: simultaneous close', () => {
  const t = established();
  t.close();
  t.sends('F. 1:1(0) ack 1');
  t.gets('F. 1:1(0) ack 1');
  t.sends('. 2:2(0) ack 2');
  assert.equal(t.state, 'CLOSING');
  t.gets('. 2:2(0) ack 2');
  assert.equal(t.state, 'TIME_WAIT');
});

exchange('RFC 9293 §3.6: passive close by way of CLOSE_WAIT and LAST_ACK', () => {
  const t = established();
  t.gets('F. 1:1(0) ack 1');
  t.sends('. 1:1(0) ack 2');
  assert.equal(t.state, 'CLOSE_WAIT');
  assert.ok(t.heard('end'));
  t.close();
  t.sends('F. 1:1(0) ack 2');
  assert.equal(t.state, 'LAST_ACK');
  t.gets('. 2:2(0) ack 2');
  assert.equal(t.state, 'CLOSED');
});

exchange('RFC 9293 §3.9.1.4: half-close, data still comes after our FIN', () => {
  const t = established();
  t.close();
  t.ignoreSent();
  t.gets('. 1:1(0) ack 2', 'P. 1:501(500) ack 2');
  t.reads(500);
  assert.equal(t.state, 'FIN_WAIT_2');
  t.gets('P. 501:1001(500) ack 2');
  t.reads(500);
  t.gets('F. 1001:1001(0) ack 2');
  assert.equal(t.state, 'TIME_WAIT');
});

exchange('RFC 9293 §3.6.1: half-close, data still goes after the FIN of the other end', () => {
  const t = established();
  t.gets('F. 1:1(0) ack 1');
  t.ignoreSent();
  t.write(500);
  t.sends('P. 1:501(500) ack 2');
  t.gets('. 2:2(0) ack 501');
  t.close();
  t.sends('F. 501:501(0) ack 2');
});

exchange(
  'RFC 9293 §3.10.7.4, eighth: a lost last ACK; the FIN comes again and TIME_WAIT answers and starts again',
  () => {
    const t = established();
    t.close();
    t.gets('. 1:1(0) ack 2', 'F. 1:1(0) ack 2');
    t.ignoreSent();
    t.after(minutes(3));
    t.gets('F. 1:1(0) ack 2');
    t.sends('. 2:2(0) ack 2');
    t.after(minutes(4) - 1);
    assert.equal(t.state, 'TIME_WAIT');
    t.after(1);
    assert.equal(t.state, 'CLOSED');
  },
);

exchange('RFC 1337: a RST does not end TIME_WAIT', () => {
  const t = established();
  t.close();
  t.gets('. 1:1(0) ack 2', 'F. 1:1(0) ack 2', 'R 2:2(0)');
  assert.equal(t.state, 'TIME_WAIT');
});

exchange('the FIN waits for the data before it, and is sent again like data', () => {
  const t = established({ window: 1000 });
  t.write(1500);
  t.close();
  t.sends('. 1:1001(1000) ack 1');
  t.gets('. 1:1(0) ack 1001 win 1000');
  t.sends('FP. 1001:1501(500) ack 1');
  t.after(seconds(1));
  t.sends('FP. 1001:1501(500) ack 1');
  t.gets('. 1:1(0) ack 1502');
  assert.equal(t.state, 'FIN_WAIT_2');
});

exchange('a FIN that comes before the data it follows is kept until that is there', () => {
  const t = established();
  t.gets('F. 1001:1001(0) ack 1');
  t.sends('. 1:1(0) ack 1');
  assert.equal(t.state, 'ESTABLISHED');
  t.gets('P. 1:1001(1000) ack 1');
  t.sends('. 1:1(0) ack 1002');
  assert.equal(t.state, 'CLOSE_WAIT');
  assert.equal(t.heard('end'), undefined, 'not before the data is read');
  t.reads(1000);
  assert.ok(t.heard('end'));
});

exchange('RFC 9293 §3.10.5: ABORT sends a RST', () => {
  const t = established();
  t.write(100);
  t.ignoreSent();
  t.abort();
  t.sends('R. 101:101(0) ack 1');
  assert.equal(t.state, 'CLOSED');
});

exchange('RFC 9293 §3.6.1: after a full close, data is answered with a RST', () => {
  const t = established();
  t.release();
  t.sends('F. 1:1(0) ack 1');
  t.gets('P. 1:101(100) ack 2');
  t.sends('R. 2:2(0) ack 1');
  assert.equal(t.state, 'CLOSED');
});

exchange('RFC 2525 §2.17: closing with unread data resets', () => {
  const t = established();
  t.gets('P. 1:101(100) ack 1');
  t.release();
  t.sends('R. 1:1(0) ack 101');
});

exchange('data that arrived before a RST stays readable, the error comes behind it', () => {
  const t = established();
  t.gets('P. 1:101(100) ack 1', 'R 101:101(0)');
  assert.equal(t.heard('error'), undefined);
  t.reads(100);
  assert.equal((t.heard('error') as { code: string }).code, 'ECONNRESET');
  assert.ok(t.heard('closed'));
});

exchange('a connection released in FIN_WAIT_2 does not wait for ever', () => {
  const t = established();
  t.release();
  t.gets('. 1:1(0) ack 2');
  assert.equal(t.state, 'FIN_WAIT_2');
  t.after(seconds(60));
  assert.equal(t.state, 'CLOSED');
});

exchange('RFC 9293 §3.8.3 (R2): unanswered data ends in ETIMEDOUT', () => {
  const t = established({ retries: 5 });
  t.write(100);
  t.after(minutes(10));
  assert.equal(t.state, 'CLOSED');
  assert.equal((t.heard('error') as { code: string }).code, 'ETIMEDOUT');
});

exchange('RFC 9293 §3.9.1.1, RFC 5482: the user timeout', () => {
  const t = established({ userTimeout: seconds(10) });
  t.write(100);
  t.after(seconds(9.9));
  assert.equal(t.state, 'ESTABLISHED');
  t.after(ms(200));
  assert.equal(t.state, 'CLOSED');
});

exchange('RFC 9293 §3.8.4: keep-alive probes, answered and not', () => {
  const keepAlive = { idle: seconds(60), interval: seconds(10), count: 3 };
  const t = established({ keepAlive });
  t.after(seconds(60));
  t.sends('. 0:0(0) ack 1');
  t.gets('. 1:1(0) ack 1');
  t.after(seconds(60));
  t.sends('. 0:0(0) ack 1');
  t.after(seconds(10));
  t.sends('. 0:0(0) ack 1');
  t.after(seconds(10));
  t.sends('. 0:0(0) ack 1');
  t.after(seconds(10));
  assert.equal(t.state, 'CLOSED');
});

exchange('SO_LINGER of zero: a full close is a RST', () => {
  const t = established({ linger: 0 });
  t.write(100);
  t.ignoreSent();
  t.release();
  t.sends('R. 101:101(0) ack 1');
  assert.equal(t.state, 'CLOSED');
});

exchange('SO_LINGER: what is not acknowledged in time ends in a RST, what is goes on', () => {
  const late = established({ linger: seconds(5) });
  late.write(100);
  late.release();
  late.after(seconds(4.9));
  assert.equal(late.state, 'FIN_WAIT_1');
  late.after(ms(200));
  assert.equal(late.state, 'CLOSED');
  const good = established({ linger: seconds(5) });
  good.release();
  good.gets('. 1:1(0) ack 2');
  good.after(seconds(10));
  assert.equal(good.state, 'FIN_WAIT_2');
});
