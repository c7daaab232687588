/** BBR over bottlenecks in virtual time: what it is for, a short queue and no fear of loss, held against CUBIC. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ms, seconds } from '../../src/base/instant.ts';
import { Internet } from '../../src/sim/internet.ts';
import { MaxFilter } from '../../src/transport/tcp/congestion/max-filter.ts';
import type { TcpInfo } from '../../src/transport/tcp/info.ts';
import { CONGESTION_CONTROLS, type ProfileName } from '../../src/transport/tcp/profiles.ts';

interface Bottleneck {
  rtt: number;
  megabits: number;
  queue: number;
  loss?: number;
}

interface Transfer {
  /** Share of the bottleneck that reached the application. */
  share: number;
  /** The sender's TCP_INFO, ten times a second. */
  infos: TcpInfo[];
}

/** One sender with always more to send, for so many seconds. */
function transfer(name: 'bbr' | 'cubic', path: Bottleneck, duration: number, profile: ProfileName = 'rfc'): Transfer {
  const net = new Internet({ seed: 3 });
  const tcp = { congestionControl: CONGESTION_CONTROLS.rfc[name], sendBuffer: 1 << 23, receiveBuffer: 1 << 24 };
  const [a, b] = [net.host('a', { tcp, profile }), net.host('b', { tcp })];
  const [near, far] = [net.router('near'), net.router('far')];
  const access = { bandwidth: 1e9, delay: 0, queue: 1 << 24 };
  net.join(a, '10.1.0.2/24', near, '10.1.0.1/24', access);
  net.join(b, '10.2.0.2/24', far, '10.2.0.1/24', access);
  const { rtt, megabits, queue, loss = 0 } = path;
  const slow = { delay: ms(rtt / 2), bandwidth: megabits * 1e6, queue, loss };
  net.join(near, '10.255.0.1/30', far, '10.255.0.2/30', slow);
  net.route();
  let received = 0;
  const handler = { data: (bytes: Uint8Array) => void (received += bytes.length), end() {}, error() {}, closed() {} };
  b.network.listen({ port: 80 }, () => handler);
  const chunk = new Uint8Array(65536);
  const pump = (): void => {
    while (socket.write(chunk) === chunk.length);
  };
  const socket = a.network.connect({ address: '10.2.0.2', port: 80 }, { ...handler, connected: pump, writable: pump });
  const infos: TcpInfo[] = [];
  for (let tenth = 1; tenth <= duration * 10; tenth++) {
    net.clock.runSync(seconds(tenth / 10));
    const info = a.tcp.connections()[0]?.info();
    if (info !== undefined) infos.push(info);
  }
  return { share: (received * 8) / (megabits * 1e6 * duration), infos };
}

const median = (values: number[]): number => values.sort((x, y) => x - y)[values.length >> 1];
const delays = ({ infos }: Transfer): number => median(infos.slice(20).map(info => info.srtt / 1e6));

test('a deep queue stays nearly empty, and the path full', () => {
  const path = { rtt: 20, megabits: 20, queue: 1_000_000 };
  const [bbr, cubic] = [transfer('bbr', path, 9), transfer('cubic', path, 9)];
  assert.ok(bbr.share > 0.88, `${bbr.share} of the bottleneck`);
  assert.ok(delays(bbr) < 35, `${delays(bbr)} ms`);
  assert.ok(delays(cubic) > 200, 'where loss is waited for, the queue stands');
});

test('loss that is no congestion does not slow it down', () => {
  const path = { rtt: 100, megabits: 20, queue: 250_000, loss: 0.01 };
  for (const profile of ['rfc', 'linux', 'freebsd'] as const) {
    const [bbr, cubic] = [transfer('bbr', path, 9, profile), transfer('cubic', path, 9, profile)];
    assert.ok(bbr.share > 0.75, `${bbr.share} of the bottleneck as ${profile}`);
    assert.ok(cubic.share < 0.25, `${cubic.share} with CUBIC as ${profile}`);
  }
});

test('every ten seconds the queue is let run empty, and the window is as before afterwards', () => {
  const { infos } = transfer('bbr', { rtt: 20, megabits: 20, queue: 100_000 }, 13);
  const least = Math.min(...infos.slice(20).map(info => info.cwnd));
  assert.equal(least, 4);
  const [before, after] = [infos[80].cwnd, infos[infos.length - 1].cwnd];
  assert.ok(after > before / 2, `${before} segments before, ${after} after`);
});

test('a queue that is smaller than what startup overshoots by costs one episode of loss, not one a round trip', () => {
  const { share, infos } = transfer('bbr', { rtt: 40, megabits: 20, queue: 30_000 }, 9);
  assert.ok(share > 0.85, `${share} of the bottleneck`);
  const [half, end] = [infos[45].totalRetransmissions, infos[infos.length - 1].totalRetransmissions];
  assert.ok(end - half < half / 2 + 100, `${half} retransmissions in one half, ${end - half} in the other`);
});

test('the largest of the last rounds, by three estimates', () => {
  const filter = new MaxFilter(10);
  for (const [round, value] of [5, 9, 7, 6, 6, 6, 6, 6, 6, 6, 6].entries()) filter.update(value, round);
  assert.equal(filter.value, 9);
  filter.update(6, 12);
  assert.equal(filter.value, 6, 'the nine and the seven are too old');
  filter.update(20, 13);
  assert.equal(filter.value, 20);
});
