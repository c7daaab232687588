import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { minutes, ms, seconds } from '../../src/base/instant.ts';
import { seededRandom } from '../../src/base/random.ts';
import { seqDiff } from '../../src/base/seq32.ts';
import type { Host } from '../../src/host/host.ts';
import type { TcpEndpoint } from '../../src/transport/tcp/endpoint.ts';
import { type FourTuple, SequenceNumbers } from '../../src/transport/tcp/isn.ts';
import { SynCookies } from '../../src/transport/tcp/syn-cookies.ts';
import { ip } from '../../src/wire/address.ts';
import { ACK, Segment, SYN } from '../../src/wire/tcp.ts';
import { TestWorld } from '../lib/world.ts';

const SERVER = ip('10.0.0.2');

function open(from: Host, port = 80, localPort?: number): TcpEndpoint {
  const endpoint = from.tcp.connect({ remoteAddress: SERVER, remotePort: port, localPort });
  assert.ok(typeof endpoint !== 'string', String(endpoint));
  endpoint.open();
  return endpoint;
}

test('RFC 6528: sequence numbers differ by connection, and grow with time on each', () => {
  const initial = (seed: number, now: number, ends: FourTuple): number => {
    const numbers = new SequenceNumbers(seededRandom(seed));
    return numbers.initial(now, numbers.secretOf(ends));
  };
  const ends = { localAddress: 1, localPort: 2, remoteAddress: 3, remotePort: 4 };
  const other = { ...ends, remotePort: 5 };
  assert.notEqual(initial(1, 0, ends), initial(1, 0, other));
  const ticks = seqDiff(initial(1, seconds(1), ends), initial(1, 0, ends));
  assert.equal(ticks, 250_000, 'a tick every 4 microseconds');
  assert.notEqual(initial(2, 0, ends), initial(1, 0, ends));
});

test('RFC 9293 §3.10.7.1: a port where nobody listens refuses at once', () => {
  const world = new TestWorld();
  const { a } = world.pair({ delay: ms(1) });
  const endpoint = open(a, 81);
  const errors: string[] = [];
  endpoint.user = { tcpEvent: event => void (event.type === 'error' && errors.push(event.code)) };
  world.clock.runSync(ms(100));
  assert.deepEqual(errors, ['ECONNREFUSED']);
  assert.deepEqual(a.tcp.connections(), []);
});

test('the accept queue is bounded; those who find it full get in when somebody has accepted', () => {
  const world = new TestWorld();
  const { a, b } = world.pair({ delay: ms(1) });
  const listener = b.tcp.listen({ port: 80, backlog: 3 });
  assert.ok(listener);
  const clients = Array.from({ length: 5 }, () => open(a));
  world.clock.runSync(ms(500));
  const accepted = (): number => {
    let count = 0;
    while (listener.accept() !== undefined) count++;
    return count;
  };
  assert.equal(b.tcp.connections().length, 3);
  const late = open(a);
  world.clock.runSync(ms(900));
  assert.equal(late.state, 'SYN_SENT', 'a SYN is ignored while the queue is full');
  assert.equal(accepted(), 3);
  for (const client of clients) client.write(Uint8Array.of(1));
  world.clock.runSync(seconds(10));
  assert.equal(accepted(), 3, 'the two whose ACK was ignored, and the late one');
});

test('two listeners: the address decides, a port is not given twice', () => {
  const world = new TestWorld();
  const { b } = world.pair();
  assert.ok(b.tcp.listen({ port: 80, address: SERVER }));
  assert.equal(b.tcp.listen({ port: 80 }), undefined);
  assert.equal(b.tcp.listen({ port: 80, address: SERVER }), undefined);
  assert.ok(b.tcp.listen({ port: 80, address: ip('10.0.0.3') }));
  const free = b.tcp.listen({ port: 0 });
  assert.ok(free && free.port >= 49152);
});

test('RFC 9293 §3.6.1 (MAY-2): a newer SYN takes over a connection in TIME_WAIT', () => {
  const world = new TestWorld();
  const { a, b } = world.pair({ delay: ms(1) });
  const listener = b.tcp.listen({ port: 80 });
  assert.ok(listener);
  listener.onConnection = endpoint => {
    // The server closes first: TIME_WAIT is its own.
    endpoint.close();
  };
  const first = open(a, 80, 50_000);
  first.user = { tcpEvent: event => void (event.type === 'end' && first.close()) };
  world.clock.runSync(seconds(1));
  assert.deepEqual(
    b.tcp.connections().map(c => c.state),
    ['TIME_WAIT'],
  );
  const second = open(a, 80, 50_000);
  world.clock.runSync(seconds(2));
  assert.ok(['CLOSE_WAIT', 'ESTABLISHED'].includes(second.state), second.state);
});

test('RFC 1122 §4.2.3.9: "host unreachable" does not end an attempt, but explains its end', () => {
  const world = new TestWorld();
  const { a, r } = world.line({ delay: ms(1) });
  const endpoint = a.tcp.connect({ remoteAddress: ip('10.0.2.9'), remotePort: 80 });
  assert.ok(typeof endpoint !== 'string');
  let error = '';
  endpoint.user = {
    tcpEvent(event) {
      if (event.type === 'error') error = `${event.code} ${event.why}`;
    },
  };
  endpoint.open();
  world.clock.runSync(minutes(1));
  assert.equal(error, '');
  world.clock.runSync(minutes(10));
  assert.equal(error, 'EHOSTUNREACH no answer to 8 transmissions; host unreachable, says 10.0.1.1');
  assert.ok(r);
});

const syn = (options: Partial<Segment>): Segment =>
  Object.assign(new Segment(), { flags: SYN, seq: 77, window: 1000 }, options);

test('RFC 4987 §3.6: a cookie holds the MSS, and with timestamps the options; a forged or old one is nothing', () => {
  const cookies = new SynCookies(seededRandom(1));
  const ends = { localAddress: 1, localPort: 80, remoteAddress: 2, remotePort: 5000 };
  const asked = syn({ mss: 1400, windowScale: 7, sackPermitted: true, hasTimestamps: true, tsVal: 5 });
  const iss = cookies.make(seconds(100), ends, asked, 536);
  const tsVal = cookies.timestamp(123_456, asked);
  assert.ok(tsVal <= 123_456 && 123_456 - tsVal < 64);
  const ack = Object.assign(new Segment(), {
    flags: ACK,
    seq: 78,
    ack: (iss + 1) >>> 0,
    window: 9,
    hasTimestamps: true,
    tsVal: 6,
    tsEcr: tsVal,
  });
  const remembered = cookies.check(seconds(130), ends, ack);
  assert.deepEqual(
    [remembered?.seq, remembered?.mss, remembered?.windowScale, remembered?.sackPermitted, remembered?.tsVal],
    [77, 1400, 7, true, 6],
  );
  assert.equal(cookies.check(seconds(300), ends, ack), undefined, 'too old');
  assert.equal(cookies.check(seconds(130), { ...ends, remotePort: 5001 }, ack), undefined, 'somebody else');
  ack.ack += 1;
  assert.equal(cookies.check(seconds(130), ends, ack), undefined, 'forged');
  const plain = syn({ mss: 600 });
  const bare = Object.assign(new Segment(), {
    flags: ACK,
    seq: 78,
    ack: (cookies.make(0, ends, plain, 536) + 1) >>> 0,
  });
  assert.deepEqual([cookies.check(0, ends, bare)?.mss, cookies.check(0, ends, bare)?.windowScale], [536, -1]);
});

test('RFC 9293 §3.7.1: whoever tells no MSS has 1220 over IPv6, through a cookie too', () => {
  const cookies = new SynCookies(seededRandom(1));
  const ends = { localAddress: 'fd00::1', localPort: 80, remoteAddress: 'fd00::2', remotePort: 5000 };
  const ack = Object.assign(new Segment(), { flags: ACK, seq: 78, ack: cookies.make(0, ends, syn({}), 1220) + 1 });
  assert.equal(cookies.check(0, ends, ack)?.mss, 1220);
});

test('a SYN flood: the backlog stays bounded, and honest clients get in by cookies, with their options', () => {
  const world = new TestWorld();
  const { a, b } = world.pair({ delay: ms(1) });
  const listener = b.tcp.listen({ port: 80, backlog: 16 });
  assert.ok(listener);
  let got = 0;
  let scaled = false;
  listener.onConnection = endpoint => {
    endpoint.user = {
      tcpEvent(event) {
        if (event.type === 'readable')
          for (let piece = endpoint.read(); piece; piece = endpoint.read()) got += piece.length;
        const { scalingOn, sackOn, timestampsOn } = endpoint.connection.tcb;
        scaled = scalingOn && sackOn && timestampsOn;
      },
    };
  };
  // Half of the handshakes never end: the answers to these hosts get lost.
  for (let n = 0; n < 40; n++) {
    const ends = { localAddress: SERVER, localPort: 80, remoteAddress: ip('10.0.0.77'), remotePort: 2000 + n };
    listener.synArrives(ends, syn({ mss: 1460 }));
  }
  assert.equal(listener.halfOpenCount, 16);
  assert.equal(listener.cookiesSent, 24);
  const client = open(a);
  client.user = {
    tcpEvent(event) {
      if (event.type === 'established') client.write(new Uint8Array(200_000));
    },
  };
  world.clock.runSync(seconds(5));
  assert.equal(listener.cookiesSent, 25, 'the honest one got a cookie too');
  assert.deepEqual([got, scaled], [200_000, true]);
});

/** Whole files through every kind of bad path, both ends gone at the end. */
test('whatever the path does, every byte arrives once and in order, and nothing is left behind', () => {
  const path = fc.record({
    seed: fc.nat(1_000_000),
    loss: fc.constantFrom(0, 0.01, 0.1, 0.25),
    reorder: fc.constantFrom(0, 0.05, 0.3),
    duplicate: fc.constantFrom(0, 0.1),
    corrupt: fc.constantFrom(0, 0.05),
    delay: fc.constantFrom(0, ms(1), ms(50)),
    bandwidth: fc.constantFrom(1e6, 1e8, Number.POSITIVE_INFINITY),
    queue: fc.constantFrom(8_000, 100_000),
    sack: fc.boolean(),
    timestamps: fc.boolean(),
    noDelay: fc.boolean(),
    receiveBuffer: fc.constantFrom(2_000, 20_000, 1 << 20),
    size: fc.constantFrom(0, 1, 1460, 20_000, 150_000),
  });
  fc.assert(
    fc.property(path, ({ seed, sack, timestamps, noDelay, receiveBuffer, size, ...cable }) => {
      const world = new TestWorld(seed);
      const { a, b } = world.pair(
        cable,
        { tcp: { sack, timestamps, noDelay, retries: 60, synRetries: 30 } },
        { tcp: { receiveBuffer, retries: 60, synRetries: 30 } },
      );
      const data = world.random.bytes(size);
      const got: number[] = [];
      b.network.listen({ port: 80 }, socket => ({
        data: bytes => {
          for (const byte of bytes) got.push(byte);
        },
        end: () => socket.end(),
        error: e => assert.fail(e),
        closed() {},
      }));
      let at = 0;
      const push = (): void => {
        while (at < size) {
          const piece = data.subarray(at, at + 7001);
          const taken = socket.write(piece);
          at += taken;
          if (taken < piece.length) return;
        }
        socket.end();
      };
      const socket = a.network.connect(
        { address: '10.0.0.2', port: 80, noDelay },
        { connected: push, writable: push, data() {}, end() {}, error: e => assert.fail(e), closed() {} },
      );
      world.clock.runSync(minutes(60 * 24));
      assert.equal(got.length, size);
      assert.deepEqual(Uint8Array.from(got), data);
      for (const host of [a, b]) for (const c of host.tcp.connections()) assert.fail(`${host.name} is in ${c.state}`);
    }),
    { numRuns: 150 },
  );
});
