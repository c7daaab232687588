/** One suite for every implementation of Network: ours in virtual time, and the operating system's. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { HttpClient } from '../../src/application/http1/client.ts';
import { HttpServer } from '../../src/application/http1/server.ts';
import { seconds } from '../../src/base/instant.ts';
import { seededRandom } from '../../src/base/random.ts';
import { NodeNetwork } from '../../src/node/network.ts';
import { RealClock } from '../../src/node/real-clock.ts';
import type { ByteSocket, Network, SocketHandler } from '../../src/socket/types.ts';
import { HostContext } from '../../src/trace/context.ts';
import { TestWorld } from '../lib/world.ts';

interface Place {
  client: Network;
  server: Network;
  address: string;
  context: HostContext;
  /** Lets time pass until the promise settles. */
  until<T>(promise: Promise<T>): Promise<T>;
  done(): void;
}

const places: Record<string, () => Place> = {
  'our stack': () => {
    const world = new TestWorld();
    const { a, b } = world.pair();
    return {
      client: a.network,
      server: b.network,
      address: '10.0.0.2',
      context: a.context,
      until: p => world.clock.until(p),
      done() {},
    };
  },
  'node:net': () => {
    const network = new NodeNetwork();
    const clock = new RealClock();
    const context = new HostContext('os', clock, seededRandom(1));
    return { client: network, server: network, address: '127.0.0.1', context, until: p => p, done: () => clock.stop() };
  },
};

let port = 20_000 + (process.pid % 20_000);

/** What a handler hears, and a promise of its last call. */
function listen(more: Partial<SocketHandler> = {}): { handler: SocketHandler; heard: string[]; closed: Promise<void> } {
  const heard: string[] = [];
  let close = (): void => {};
  const closed = new Promise<void>(resolve => {
    close = resolve;
  });
  const handler: SocketHandler = {
    connected: () => {
      heard.push('connected');
      more.connected?.();
    },
    data: bytes => {
      heard.push(`data ${new TextDecoder().decode(bytes)}`);
      more.data?.(bytes);
    },
    end: () => {
      heard.push('end');
      more.end?.();
    },
    writable: () => more.writable?.(),
    error: error => void heard.push(`error ${error.code}`),
    closed: () => {
      heard.push('closed');
      close();
    },
  };
  return { handler, heard, closed };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function onEach(name: string, run: (place: Place, at: number, t: TestContext) => Promise<void>): void {
  for (const [label, make] of Object.entries(places)) {
    test(`${name} [${label}]`, async t => {
      const place = make();
      try {
        await run(place, port++, t);
      } finally {
        place.done();
      }
    });
  }
}

onEach('connect, data both ways, half-close, close', async ({ client, server, address, until }, at) => {
  const there = listen({ data: () => void served?.write(text('pong')), end: () => void served?.end() });
  let served: ByteSocket | undefined;
  const listener = server.listen({ port: at, address }, socket => {
    served = socket;
    return there.handler;
  });
  const here = listen({ connected: () => void socket.write(text('ping')), data: () => socket.end() });
  const socket = client.connect({ address, port: at }, here.handler);
  await until(Promise.all([here.closed, there.closed]));
  listener.close();
  assert.deepEqual(here.heard, ['connected', 'data pong', 'end', 'closed']);
  assert.deepEqual(there.heard, ['data ping', 'end', 'closed']);
});

onEach('nobody listens: ECONNREFUSED, then closed', async ({ client, address, until }, at) => {
  const here = listen();
  client.connect({ address, port: at }, here.handler);
  await until(here.closed);
  assert.deepEqual(here.heard, ['error ECONNREFUSED', 'closed']);
});

onEach('a reset is ECONNRESET on the other side', async ({ client, server, address, until }, at) => {
  const there = listen();
  const listener = server.listen({ port: at, address }, () => there.handler);
  const here = listen({ connected: () => void socket.write(text('x')) });
  const socket = client.connect({ address, port: at }, here.handler);
  there.handler.data = () => socket.reset();
  await until(there.closed);
  listener.close();
  assert.deepEqual(there.heard, ['error ECONNRESET', 'closed']);
});

onEach('a writer is told when it may go on; everything arrives', async ({ client, server, address, until }, at) => {
  const size = 5_000_000;
  let got = 0;
  const there = listen({ end: () => void served?.end() });
  let served: ByteSocket | undefined;
  there.handler.data = bytes => {
    got += bytes.length;
  };
  const listener = server.listen({ port: at, address }, socket => {
    served = socket;
    return there.handler;
  });
  let left = size;
  const push = (): void => {
    while (left > 0) {
      const taken = socket.write(new Uint8Array(Math.min(left, 100_000)));
      left -= taken;
      if (taken === 0) return;
    }
    socket.end();
  };
  const here = listen({ connected: push, writable: push });
  const socket = client.connect({ address, port: at }, here.handler);
  await until(Promise.all([here.closed, there.closed]));
  listener.close();
  assert.equal(got, size);
});

onEach('what is written before destroy() still arrives', async ({ client, server, address, until }, at) => {
  const there = listen({ end: () => void served?.end() });
  let served: ByteSocket | undefined;
  const listener = server.listen({ port: at, address }, socket => {
    served = socket;
    return there.handler;
  });
  const here = listen({
    connected: () => {
      socket.write(text('last words'));
      socket.destroy();
    },
  });
  const socket = client.connect({ address, port: at }, here.handler);
  await until(there.closed);
  listener.close();
  assert.deepEqual(there.heard, ['data last words', 'end', 'closed']);
});

onEach('datagrams', async ({ client, server, address, until }, at) => {
  const echo = server.datagram(
    { port: at, address },
    { message: ({ from, bytes }) => echo.send(bytes, from), error() {} },
  );
  const answer = new Promise<string>(resolve => {
    const socket = client.datagram(
      {},
      { message: ({ bytes }) => resolve(new TextDecoder().decode(bytes)), error() {} },
    );
    socket.send(text('hello'), { address, port: at });
    void answerThen(() => socket.close());
  });
  async function answerThen(run: () => void): Promise<void> {
    await Promise.resolve();
    await answer;
    run();
  }
  assert.equal(await until(answer), 'hello');
  echo.close();
});

onEach('HTTP, our client and our server', async ({ client, server, address, context, until }, at) => {
  const { scheduler } = context;
  const http = new HttpServer(async request => ({ status: 200, body: await request.body.bytes() }), {
    scheduler,
    date: () => 0,
  });
  const listener = http.listen(server, at, address);
  const names = { lookup: async () => [address] };
  const agent = new HttpClient(context, client, names, { pool: { idleTimeout: seconds(1) } });
  const body = seededRandom(1).bytes(300_000);
  for (let n = 0; n < 3; n++) {
    const response = await until(agent.request({ url: `http://h:${at}/`, method: 'POST', body }));
    assert.deepEqual(await until(response.bytes()), body);
  }
  assert.equal(agent.pool.openConnections, 1);
  agent.pool.closeIdle();
  listener.close();
});
