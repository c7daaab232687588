import assert from 'node:assert/strict';
import { minutes, ms, seconds } from '../../src/base/instant.ts';
import { established, exchange } from './exchange.ts';

exchange('RFC 9293 §3.8.6.3: every second full-sized segment is acknowledged, a single one within the delay', () => {
  const t = established();
  t.gets('. 1:1001(1000) ack 1');
  t.silent();
  t.gets('. 1001:2001(1000) ack 1');
  t.sends('. 1:1(0) ack 2001');
  t.gets('P. 2001:2101(100) ack 1');
  t.silent();
  t.after(ms(40));
  t.sends('. 1:1(0) ack 2101');
  t.reads(2100);
});

exchange('RFC 5681 §4.2: out-of-order data is acknowledged at once, and so is what fills the gap', () => {
  const t = established();
  t.gets('. 1001:2001(1000) ack 1');
  t.sends('. 1:1(0) ack 1 <sack 1001:2001>');
  t.gets('. 3001:4001(1000) ack 1');
  t.sends('. 1:1(0) ack 1 <sack 3001:4001,sack 1001:2001>');
  t.gets('. 1:1001(1000) ack 1');
  t.sends('. 1:1(0) ack 2001 <sack 3001:4001>');
  t.gets('. 2001:3001(1000) ack 1');
  t.sends('. 1:1(0) ack 4001 <>');
  t.reads(4000);
});

exchange('overlapping segments: no byte is lost, doubled or out of place', () => {
  const t = established();
  t.gets('. 501:1501(1000) ack 1', '. 2001:2501(500) ack 1', '. 1001:2201(1200) ack 1', '. 1:801(800) ack 1');
  t.reads(2500);
  assert.equal(t.readable, 0);
});

exchange('RFC 2883 §4: a duplicate is reported in the first SACK block', () => {
  const t = established();
  t.gets('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1');
  t.ignoreSent();
  t.gets('. 1:1001(1000) ack 1');
  t.sends('. 1:1(0) ack 2001 <sack 1:1001>');
});

exchange('RFC 9293 §3.7.4 (Nagle): a small segment waits for what is out', () => {
  const t = established({ noDelay: false });
  t.write(100);
  t.sends('P. 1:101(100) ack 1');
  t.write(100);
  t.write(100);
  t.silent();
  t.gets('. 1:1(0) ack 101');
  t.sends('P. 101:301(200) ack 1');
  t.write(1700);
  t.sends('. 301:1301(1000) ack 1');
  t.gets('. 1:1(0) ack 1301');
  t.sends('P. 1301:2001(700) ack 1');
});

exchange('RFC 9293 §3.8.6.2.1: no silly windows are filled', () => {
  const t = established({ window: 1000 });
  t.write(3000);
  t.sends('. 1:1001(1000) ack 1');
  t.gets('. 1:1(0) ack 1001 win 100');
  t.silent();
  t.gets('. 1:1(0) ack 1001 win 400');
  t.silent();
  // Half of the largest window that was ever offered.
  t.gets('. 1:1(0) ack 1001 win 500');
  t.sends('. 1001:1501(500) ack 1');
});

exchange('RFC 9293 §3.8.6.2.1 (4): the override sends what fits, after a while', () => {
  const t = established({ window: 1000 });
  t.write(3000);
  t.ignoreSent();
  t.gets('. 1:1(0) ack 1001 win 100');
  t.after(seconds(1));
  t.sends('. 1001:1101(100) ack 1');
});

exchange(
  'RFC 9293 §3.8.6.1: a zero window is probed with one byte, ever more rarely, for as long as it is answered',
  () => {
    const t = established({ window: 1000 });
    t.write(3000);
    t.ignoreSent();
    t.gets('. 1:1(0) ack 1001 win 0');
    t.silent();
    t.after(seconds(1));
    t.sends('. 1001:1002(1) ack 1');
    t.gets('. 1:1(0) ack 1001 win 0');
    t.after(seconds(1));
    t.silent();
    t.after(seconds(1));
    t.sends('. 1001:1002(1) ack 1');
    for (let n = 0; n < 60; n++) {
      t.gets('. 1:1(0) ack 1001 win 0');
      t.after(minutes(1));
    }
    assert.equal(t.state, 'ESTABLISHED', 'MUST-37: probing may go on for ever');
    t.ignoreSent();
    t.gets('. 1:1(0) ack 1001 win 2000');
    t.sends('. 1001:2001(1000) ack 1', 'P. 2001:3001(1000) ack 1');
  },
);

exchange('a window probe that was taken is not sent again', () => {
  const t = established({ window: 1000 });
  t.write(3000);
  t.gets('. 1:1(0) ack 1001 win 0');
  t.after(seconds(1));
  t.ignoreSent();
  t.gets('. 1:1(0) ack 1002 win 1000');
  t.sends('. 1002:2002(1000) ack 1');
});

exchange('RFC 9293 §3.8.6: our own window closes when nobody reads, and opens with an update', () => {
  const t = established({ receiveBuffer: 4000, sack: false, peerOptions: 'mss 1000' });
  t.gets('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1', '. 2001:3001(1000) ack 1', '. 3001:4001(1000) ack 1');
  t.sends('. 1:1(0) ack 2001 win 2000', '. 1:1(0) ack 4001 win 0');
  // One byte more: refused, and acknowledged.
  t.gets('. 4001:4002(1) ack 1');
  t.sends('. 1:1(0) ack 4001 win 0');
  t.reads(4000);
  t.sends('. 1:1(0) ack 4001 win 4000');
});

exchange('RFC 9293 §3.8.6.2.2: the receiver does not offer silly windows', () => {
  const t = established({ receiveBuffer: 4000 });
  t.gets('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1', '. 2001:3001(1000) ack 1', '. 3001:4001(1000) ack 1');
  t.ignoreSent();
  t.reads(100);
  t.silent();
  t.gets('. 4001:4002(1) ack 1');
  t.sends('. 1:1(0) ack 4001 win 0');
});

exchange('the right edge of the window never moves back', () => {
  const t = established({ receiveBuffer: 10_000 });
  let edge = 10_000;
  for (let n = 0; n < 10; n++) {
    t.gets(`. ${n * 1000 + 1}:${n * 1000 + 1001}(1000) ack 1`);
    for (const segment of t.ignoreSent()) {
      const now = segment.window + (n + 1) * 1000;
      assert.ok(now >= edge);
      edge = now;
    }
  }
});

exchange('RFC 9293 §3.4: data beyond the window is cut off', () => {
  const t = established({ receiveBuffer: 2000 });
  t.gets('. 1:1001(1000) ack 1', '. 1001:3001(2000) ack 1');
  t.reads(2000);
  assert.equal(t.readable, 0);
});

exchange('RFC 9293 §3.8.5: an urgent pointer does no harm', () => {
  const t = established();
  t.gets('PU. 1:101(100) ack 1');
  t.reads(100);
});

exchange('a write that is not taken whole is followed by "writable"', () => {
  const t = established({ sendBuffer: 3000 });
  assert.equal(t.write(5000), 3000);
  assert.equal(t.write(1), 0);
  t.gets('. 1:1(0) ack 3001');
  assert.ok(t.heard('writable'));
  assert.equal(t.write(2000), 2000);
});
