/** HTTP/1.1 requests on connections that are kept alive, our client and our server against node:http, in one process. */
import { Agent, createServer, get } from 'node:http';
import { HttpClient } from '../src/application/http1/client.ts';
import { HttpServer } from '../src/application/http1/server.ts';
import { amount, bench, timed } from './lib/compare.ts';
import { B_ADDRESS, pair } from './lib/pair.ts';

const TURNS = amount(20_000, 200);
/** To warm up. */
const SOME = amount(5000, 100);
const BODY = 'hello';

async function ours(connections: number, turns = TURNS): Promise<number> {
  const { net, a, b } = pair();
  const server = new HttpServer(() => ({ status: 200, body: BODY }), { scheduler: net.clock, date: () => 0 });
  server.listen(b.network, 80);
  const names = { lookup: async () => [B_ADDRESS] };
  const client = new HttpClient(a.context, a.network, names, { pool: { maxPerOrigin: connections } });
  let done = 0;
  const worker = async (): Promise<void> => {
    while (done < turns) {
      done++;
      const response = await client.request({ url: 'http://example.test/' });
      const body = await response.bytes();
      if (response.status !== 200 || body.length !== BODY.length) throw new Error(`status ${response.status}`);
    }
  };
  const seconds = await timed(() =>
    net.clock.until(Promise.all(Array.from({ length: connections }, worker))).then(() => {}),
  );
  return turns / seconds;
}

async function nodeHttp(connections: number, turns = TURNS): Promise<number> {
  const server = createServer((_request, response) => void response.end(BODY));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  let done = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, agent }, response => {
        response.resume();
        response.on('end', resolve);
      }).on('error', reject);
    });
  const worker = async (): Promise<void> => {
    while (done < turns) {
      done++;
      await one();
    }
  };
  const seconds = await timed(() => Promise.all(Array.from({ length: connections }, worker)).then(() => {}));
  agent.destroy();
  server.close();
  return turns / seconds;
}

const comparison = (connections: number) => ({
  work: `HTTP keep-alive requests, ${connections} connection${connections > 1 ? 's' : ''}`,
  unit: 'requests/s',
  ours: {
    name: 'our client and server',
    warmUp: () => ours(connections, SOME),
    measure: () => ours(connections),
  },
  peers: [{ name: 'node:http', warmUp: () => nodeHttp(connections, SOME), measure: () => nodeHttp(connections) }],
  atLeast: 2,
  aim: 3,
});
await bench('http', [comparison(1), comparison(32)]);
