import assert from 'node:assert/strict';
import { ms, seconds } from '../../src/base/instant.ts';
import { established, exchange } from './exchange.ts';

const four = ['. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1', '. 2001:3001(1000) ack 1', 'P. 3001:4001(1000) ack 1'];

exchange('RFC 6675 §5, RFC 5681 §3.2: the third duplicate ACK sends the first hole again', () => {
  const t = established();
  t.write(4000);
  t.sends(...four);
  t.after(ms(100));
  t.gets('. 1:1(0) ack 1 <sack 1001:2001>', '. 1:1(0) ack 1 <sack 1001:3001>');
  t.silent();
  t.gets('. 1:1(0) ack 1 <sack 1001:4001>');
  t.sends('. 1:1001(1000) ack 1');
  t.gets('. 1:1(0) ack 4001');
  assert.deepEqual(t.decisions, ['fast-retransmit', 'recovered']);
});

exchange('RFC 6582 §3.2: without SACK, three duplicates, and each partial ACK names the next hole', () => {
  const t = established({ sack: false });
  t.write(6000);
  t.ignoreSent();
  t.gets('. 1:1(0) ack 1', '. 1:1(0) ack 1');
  t.silent();
  t.gets('. 1:1(0) ack 1');
  t.sends('. 1:1001(1000) ack 1');
  t.gets('. 1:1(0) ack 2001');
  t.sends('. 2001:3001(1000) ack 1');
  t.gets('. 1:1(0) ack 6001');
  t.silent();
  // Only what is beyond the recovery ends it, lest its duplicates begin another (§3.2 step 1).
  assert.deepEqual(t.decisions, ['fast-retransmit']);
  t.write(1000);
  t.ignoreSent();
  t.gets('. 1:1(0) ack 7001');
  assert.deepEqual(t.decisions, ['fast-retransmit', 'recovered']);
});

exchange('RFC 6675 §4 IsLost: two holes are both sent again in one recovery', () => {
  const t = established();
  t.write(8000);
  t.ignoreSent();
  t.gets('. 1:1(0) ack 1 <sack 1001:2001>', '. 1:1(0) ack 1 <sack 1001:2001,sack 3001:4001>');
  t.silent();
  t.gets('. 1:1(0) ack 1 <sack 1001:2001,sack 3001:5001>');
  t.sends('. 1:1001(1000) ack 1');
  t.gets('. 1:1(0) ack 1 <sack 1001:2001,sack 3001:6001>');
  t.sends('. 2001:3001(1000) ack 1');
  t.gets('. 1:1(0) ack 8001');
  assert.deepEqual(t.decisions, ['fast-retransmit', 'recovered']);
});

exchange('RFC 5681 §3.2: recovery halves the window', () => {
  const t = established();
  t.write(10_000);
  t.ignoreSent();
  const before = t.machine.sender.recovery.window.cwnd;
  assert.equal(before, 10, 'RFC 6928: ten segments');
  t.gets('. 1:1(0) ack 1 <sack 1001:4001>');
  assert.equal(t.machine.sender.recovery.window.ssthresh, 5);
});

exchange(
  'RFC 6298 §5.4-5.6, RFC 5681 §3.1: the timer sends the first segment again, backs off, and starts slowly',
  () => {
    const t = established();
    t.write(4000);
    t.sends(...four);
    t.after(seconds(1));
    t.sends('. 1:1001(1000) ack 1');
    assert.equal(t.machine.sender.recovery.window.cwnd, 1);
    assert.equal(t.machine.sender.recovery.window.ssthresh, 2);
    t.after(seconds(2));
    t.sends('. 1:1001(1000) ack 1');
    assert.equal(t.machine.sender.recovery.window.ssthresh, 2, 'held when the same segment times out again');
    t.gets('. 1:1(0) ack 1001');
    t.sends('. 1001:2001(1000) ack 1', '. 2001:3001(1000) ack 1');
    t.gets('. 1:1(0) ack 4001');
    t.silent();
  },
);

exchange('RFC 6298 §3 (Karn): what was sent twice is no sample of the round trip', () => {
  const t = established();
  const before = t.machine.sender.rtt.srtt;
  t.write(1000);
  t.after(seconds(1));
  t.gets('. 1:1(0) ack 1001');
  assert.equal(t.machine.sender.rtt.srtt, before);
});

exchange('RFC 6298 §2: SRTT, RTTVAR and RTO from the first samples', () => {
  const t = established({ minRto: ms(200) });
  t.write(1000);
  t.after(ms(100));
  t.gets('. 1:1(0) ack 1001');
  const { rtt } = t.machine.sender;
  // The handshake took no time: SRTT = 0, then 7/8 * 0 + 1/8 * 100 ms.
  assert.equal(rtt.srtt, ms(12.5));
  assert.equal(rtt.rttvar, ms(25));
  assert.equal(rtt.rto, ms(200), '§2.4: never below the minimum');
  t.write(1000);
  t.after(ms(180));
  t.gets('. 1:1(0) ack 2001');
  assert.equal(rtt.srtt, ms(33.4375));
  assert.equal(rtt.rttvar, ms(60.625));
  assert.equal(rtt.rto, ms(275.9375));
});

exchange('RFC 3042: the first two duplicates let new data out', () => {
  const t = established({ sack: false, initialWindow: 4 });
  t.write(10_000);
  t.ignoreSent();
  t.gets('. 1:1(0) ack 1');
  t.sends('. 4001:5001(1000) ack 1');
  t.gets('. 1:1(0) ack 1');
  t.sends('. 5001:6001(1000) ack 1');
});

exchange('RFC 5681 §3.1: slow start doubles a window, congestion avoidance adds a segment to it', () => {
  const t = established({ initialWindow: 2, window: 60_000 });
  t.write(60_000);
  t.sends('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1');
  t.gets('. 1:1(0) ack 1001', '. 1:1(0) ack 2001');
  assert.equal(t.machine.sender.recovery.window.cwnd, 4);
  assert.equal(t.ignoreSent().length, 4);
});

exchange('RFC 5681 §4.1: after an idle time the window starts again', () => {
  const t = established({ initialWindow: 2, window: 60_000 });
  for (let n = 0; n < 8; n++) {
    t.write(4000);
    t.gets(`. 1:1(0) ack ${n * 4000 + 2001}`, `. 1:1(0) ack ${n * 4000 + 4001}`);
  }
  assert.ok(t.machine.sender.recovery.window.cwnd > 4);
  t.after(seconds(10));
  t.write(1000);
  assert.equal(t.machine.sender.recovery.window.cwnd, 2);
});

exchange('RFC 2018 §8: a receiver that takes its SACKs back gets everything again after a timeout', () => {
  const t = established();
  t.write(4000);
  t.ignoreSent();
  t.gets('. 1:1(0) ack 1 <sack 1001:2001>');
  t.after(seconds(1));
  t.sends('. 1:1001(1000) ack 1');
  t.gets('. 1:1(0) ack 1001');
  t.after(seconds(1));
  t.gets('. 1:1(0) ack 1001');
  t.after(seconds(20));
  t.gets('. 1:1(0) ack 4001');
  assert.equal(t.machine.sender.queued, 0);
});

exchange('RFC 1191 §6.5: a smaller path MTU cuts what is out, without blaming congestion', () => {
  const t = established();
  t.write(2000);
  t.ignoreSent();
  const { cwnd } = t.machine.sender.recovery.window;
  t.machine.pathMssChanged(t.now, 600);
  t.gets('. 1:1(0) ack 1 win 32768');
  t.sends('. 1:601(600) ack 1', '. 601:1201(600) ack 1', '. 1201:1801(600) ack 1', 'P. 1801:2001(200) ack 1');
  assert.ok(t.machine.sender.recovery.window.cwnd >= Math.min(cwnd, 6));
});
