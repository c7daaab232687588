/** Ping: echo requests at an interval, and what became of each. */
import { type Duration, seconds } from '../base/instant.ts';
import { type Scheduler, sleep } from '../base/scheduler.ts';
import type { EchoPort } from '../internet/echo.ts';
import type { Context } from '../trace/events.ts';
import { formatIp, type IpAddress } from '../wire/ip-address.ts';

export interface PingOptions {
  count?: number;
  interval?: Duration;
  timeout?: Duration;
  ttl?: number;
  /** Bytes of echo data. */
  size?: number;
  dontFragment?: boolean;
  onResult?: (result: PingResult) => void;
}

export interface PingResult {
  sequence: number;
  /** Undefined when nothing came back in time. */
  from?: string;
  rtt?: Duration;
  ttl?: number;
  bytes: number;
  /** An ICMP error instead of a reply, or why nothing could be sent. */
  error?: string;
}

export async function ping<A extends IpAddress>(
  context: Context,
  icmp: EchoPort<A>,
  destination: A,
  options: PingOptions = {},
): Promise<PingResult[]> {
  const { count = 4, interval = seconds(1), timeout = seconds(2), size = 56, onResult } = options;
  const { scheduler } = context;
  const identifier = context.random.below(65536);
  const data = Uint8Array.from({ length: size }, (_, i) => i & 0xff);
  const results: PingResult[] = [];
  const waiting = new Map<number, (result: PingResult) => void>();
  const sentAt: number[] = [];
  icmp.listen(identifier, {
    reply(from, sequence, bytes, ttl) {
      const rtt = scheduler.now() - sentAt[sequence];
      waiting.get(sequence)?.({ sequence, from: formatIp(from), rtt, ttl, bytes: bytes.length + 8 });
    },
    error(error, sequence) {
      waiting.get(sequence)?.({ sequence, from: formatIp(error.reporter), bytes: 0, error: error.name });
    },
  });
  for (let sequence = 0; sequence < count; sequence++) {
    sentAt[sequence] = scheduler.now();
    const answer = new Promise<PingResult>(resolve => {
      waiting.set(sequence, result => {
        waiting.delete(sequence);
        scheduler.touched();
        resolve(result);
      });
      scheduler.at(scheduler.now() + timeout, () => waiting.get(sequence)?.({ sequence, bytes: 0 }));
    });
    const failure = icmp.echo({
      destination,
      identifier,
      sequence,
      data,
      ttl: options.ttl,
      dontFragment: options.dontFragment,
    });
    if (failure !== undefined) waiting.get(sequence)?.({ sequence, bytes: 0, error: failureText(failure.reason) });
    const result = await answer;
    results.push(result);
    onResult?.(result);
    if (sequence + 1 < count) await untilNext(scheduler, sentAt[sequence] + interval);
  }
  icmp.listen(identifier, undefined);
  return results;
}

const failureText = (reason: string): string =>
  reason === 'no-route' ? 'no route to host' : reason === 'too-big' ? 'message too long' : reason;

async function untilNext(scheduler: Scheduler, when: number): Promise<void> {
  const left = when - scheduler.now();
  if (left > 0) await sleep(scheduler, left);
}
