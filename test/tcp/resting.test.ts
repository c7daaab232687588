import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../../src/base/bytes.ts';
import { minutes, ms, seconds } from '../../src/base/instant.ts';
import type { Host } from '../../src/host/host.ts';
import type { TcpEndpoint } from '../../src/transport/tcp/endpoint.ts';
import { ip } from '../../src/wire/address.ts';
import { FIN, flagNames, tcp } from '../../src/wire/tcp.ts';
import { TestWorld } from '../lib/world.ts';

const TCP_AT = 14 + 20;

interface Closed {
  world: TestWorld;
  a: Host;
  client: TcpEndpoint;
  /** Puts a frame on the wire towards the client, as if the server had sent it. */
  inject(frame: Uint8Array): void;
  /** The frames that the server sent. */
  heard: Uint8Array[];
}

/** A connection whose client closed first and is in TIME_WAIT; `forget`: its user looks at it no more. */
function closed(forget: boolean): Closed {
  const world = new TestWorld();
  const { a, b, cable } = world.pair({ delay: ms(1) });
  const listener = b.tcp.listen({ port: 80 });
  assert.ok(listener);
  listener.onConnection = server => {
    server.user = {
      tcpEvent(event) {
        if (event.type === 'readable') server.read();
        if (event.type === 'end') server.close();
      },
    };
  };
  const heard: Uint8Array[] = [];
  const { receive } = cable.a;
  cable.a.receive = (frame, unit) => {
    heard.push(frame);
    receive(frame, unit);
  };
  const client = a.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: 80, localPort: 5000 });
  assert.ok(typeof client !== 'string');
  client.user = {
    tcpEvent(event) {
      if (event.type === 'established') client.write(new Uint8Array(100));
      if (event.type === 'closed' && forget) client.forget();
    },
  };
  client.open();
  world.clock.at(ms(50), () => client.close());
  world.clock.runSync(seconds(1));
  assert.equal(client.state, 'TIME_WAIT');
  return { world, a, client, heard, inject: frame => receive(frame) };
}

/** What the client's host sends in answer to what comes for a connection in TIME_WAIT. */
function answers(forget: boolean): string[] {
  const { world, inject, heard } = closed(forget);
  const isFin = (frame: Uint8Array): boolean => (tcp.f.flags.get(frame, TCP_AT) & FIN) !== 0;
  const fin = heard.find(frame => frame.length > TCP_AT + 20 && isFin(frame));
  assert.ok(fin);
  const began = world.clock.now();
  // The FIN again, twice, a late duplicate of the SYN+ACK, and what is damaged.
  const plan = [
    fin,
    heard.find(frame => frame.length > TCP_AT + 20) ?? fin,
    fin.map((byte, at) => (at === 60 ? ~byte : byte)),
    fin,
  ];
  for (const [n, frame] of plan.entries()) world.clock.at(began + seconds(1 + n), () => inject(frame));
  world.clock.runSync(began + minutes(10));
  return world
    .events('frame', 'a')
    .filter(({ time, bytes }) => time > began && bytes[12] === 8 && bytes[13] === 0)
    .map(({ time, bytes }) => `${time} ${flagNames(tcp.f.flags.get(bytes, TCP_AT))} ${hex(bytes.subarray(TCP_AT))}`);
}

test('RFC 9293 §3.6.1: TIME_WAIT answers the same whether its user is still there or not', () => {
  const whole = answers(false);
  assert.ok(whole.length >= 2, 'each FIN is answered');
  assert.deepEqual(answers(true), whole);
});

test('a connection that rests is listed, keeps its port, and is gone after 2 MSL', () => {
  const { world, a, client } = closed(true);
  assert.equal(a.tcp.size, 1);
  const ends = { remoteAddress: client.remoteAddress, remotePort: 80, localPort: 5000 };
  assert.equal(a.tcp.connect(ends), 'in-use');
  const states = a.tcp.connections().map(({ state, localPort }) => `${state} ${localPort}`);
  assert.deepEqual(states, ['TIME_WAIT 5000']);
  world.clock.runSync(minutes(5));
  assert.equal(a.tcp.size, 0);
  const told = world.events('state', 'a').map(({ from, to }) => `${from} ${to}`);
  assert.equal(told.at(-1), 'TIME_WAIT CLOSED');
});

test('RFC 9293 §3.6.1 (MAY-2): a newer SYN takes over a connection that rests', () => {
  const world = new TestWorld();
  const { a, b } = world.pair({ delay: ms(1) });
  let closings = 0;
  // The server closes first: TIME_WAIT is its own, and nobody looks at it.
  b.network.listen({ port: 80 }, socket => {
    socket.end();
    return { data() {}, end() {}, error() {}, closed: () => void closings++ };
  });
  const connect = (): TcpEndpoint => {
    const endpoint = a.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: 80, localPort: 5000 });
    assert.ok(typeof endpoint !== 'string');
    endpoint.user = { tcpEvent: event => void (event.type === 'end' && endpoint.close()) };
    endpoint.open();
    return endpoint;
  };
  for (const until of [1, 2, 3]) {
    connect();
    world.clock.runSync(seconds(until));
    assert.equal(a.tcp.size, 0);
    assert.equal(b.tcp.size, 1, 'in TIME_WAIT');
  }
  assert.equal(closings, 3);
});
