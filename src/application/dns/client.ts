/**
 * One question to one server: over UDP with a random id, port and mixed case (draft-vixie-dnsext-dns0x20), over TCP
 * when the answer is truncated (RFC 7766), without EDNS for a server that does not know it (RFC 6891 §7).
 */
import { concat } from '../../base/bytes.ts';
import { type Duration, seconds } from '../../base/instant.ts';
import type { Timer } from '../../base/scheduler.ts';
import type { Network } from '../../socket/types.ts';
import type { Context, DnsEvent } from '../../trace/events.ts';
import { decodeDns, emptyMessage, encodeDns } from '../../wire/dns.ts';
import { sameName } from '../../wire/dns-name.ts';
import { type DnsMessage, type DomainName, RCODE, rcodeName, rrName } from '../../wire/dns-types.ts';
import { Malformed } from '../../wire/reader.ts';
import { type ServerAddress, serverText } from './types.ts';

export const DNS_PORT = 53;
/** The size that DNS Flag Day 2020 settled on: it fits every path without fragments. */
export const EDNS_SIZE = 1232;

export interface Exchange {
  name: DomainName;
  type: number;
  recursionDesired: boolean;
  timeout: Duration;
  /** For the trace: the zone that a recursive resolver asks in. */
  zone?: DomainName;
}

/** Nobody answered, or something on the way said that it can't. */
export class ExchangeFailure {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

export class DnsClient {
  private readonly context: Context;
  private readonly network: Network;
  private readonly who: string;
  private nextExchange = 1;
  /** Servers that do not give back the letters' case, or do not know EDNS. */
  private readonly caseless = new Set<string>();
  private readonly plain = new Set<string>();

  /** `who` names the asker in traces: 'stub', 'forwarder', 'resolver'. */
  constructor(context: Context, network: Network, who: string) {
    this.context = context;
    this.network = network;
    this.who = who;
  }

  /** Never rejects: what goes wrong is an ExchangeFailure. */
  async exchange(server: ServerAddress, exchange: Exchange): Promise<DnsMessage | ExchangeFailure> {
    const id = this.nextExchange++;
    this.note('query', exchange, server, id);
    let answer = await this.overUdp(server, exchange);
    if (answer === 'case-changed') {
      this.caseless.add(server.address);
      answer = await this.overUdp(server, exchange);
    }
    if (answer === 'case-changed') answer = new ExchangeFailure('answers change their case');
    if (!(answer instanceof ExchangeFailure) && this.rejectsEdns(answer) && !this.plain.has(server.address)) {
      this.plain.add(server.address);
      return this.exchange(server, exchange);
    }
    if (!(answer instanceof ExchangeFailure) && answer.truncated) {
      this.note('truncated', exchange, server, id, 'asked again over TCP');
      answer = await this.overTcp(server, exchange);
    }
    if (answer instanceof ExchangeFailure) this.note('error', exchange, server, id, answer.reason);
    return answer;
  }

  private rejectsEdns(answer: DnsMessage): boolean {
    return answer.edns === undefined && (answer.rcode === RCODE.FORMERR || answer.rcode === RCODE.NOTIMP);
  }

  private query(server: ServerAddress, exchange: Exchange): DnsMessage {
    const { random } = this.context;
    const name = this.caseless.has(server.address) ? exchange.name : mixCase(exchange.name, () => random.chance(0.5));
    const query = emptyMessage(random.below(65536), name, exchange.type);
    query.recursionDesired = exchange.recursionDesired;
    if (!this.plain.has(server.address)) query.edns = edns();
    return query;
  }

  private overUdp(server: ServerAddress, exchange: Exchange): Promise<DnsMessage | ExchangeFailure | 'case-changed'> {
    const query = this.query(server, exchange);
    return new Promise(resolve => {
      const finish = (result: DnsMessage | ExchangeFailure | 'case-changed'): void => {
        timer.cancel();
        socket.close();
        resolve(result);
      };
      const socket = this.network.datagram(
        {},
        {
          message: ({ from, bytes }) => {
            // RFC 5452 §9.1: the answer must come from where the question went, with its id and its question.
            if (from.address !== server.address || from.port !== DNS_PORT) return;
            const answer = decodeDns(bytes);
            if (answer instanceof Malformed) return this.context.drop('dns', 'dns-malformed');
            const match = matches(answer, query);
            if (match === 'exact') finish(answer);
            else if (match === 'other-case') finish('case-changed');
            else this.context.drop('dns', 'dns-not-asked');
          },
          error: error => finish(new ExchangeFailure(error.why ?? error.code)),
        },
      );
      const timer = this.after(exchange.timeout, () =>
        finish(new ExchangeFailure(`no answer within ${exchange.timeout / 1e9} s`)),
      );
      socket.send(encodeDns(query), { address: server.address, port: DNS_PORT });
    });
  }

  /** RFC 1035 §4.2.2: two bytes of length before each message. */
  private overTcp(server: ServerAddress, exchange: Exchange): Promise<DnsMessage | ExchangeFailure> {
    const query = this.query(server, exchange);
    return new Promise(resolve => {
      let received: Uint8Array = new Uint8Array(0);
      let finished = false;
      const finish = (result: DnsMessage | ExchangeFailure): void => {
        if (finished) return;
        finished = true;
        timer.cancel();
        socket.destroy();
        resolve(result);
      };
      const socket = this.network.connect(
        { address: server.address, port: DNS_PORT, noDelay: true },
        {
          connected: () => void socket.write(framed(encodeDns(query))),
          data: bytes => {
            received = concat([received, bytes]);
            const message = unframe(received);
            if (message === undefined) return;
            const answer = decodeDns(message);
            if (answer instanceof Malformed) finish(new ExchangeFailure(answer.reason));
            else if (matches(answer, query) === 'other') finish(new ExchangeFailure('an answer to something else'));
            else finish(answer);
          },
          end: () => finish(new ExchangeFailure('the server closed the connection')),
          error: error => finish(new ExchangeFailure(error.why ?? error.code)),
          closed: () => finish(new ExchangeFailure('the connection was closed')),
        },
      );
      const timer = this.after(Math.max(exchange.timeout, seconds(3)), () =>
        finish(new ExchangeFailure('no answer over TCP')),
      );
    });
  }

  private after(duration: Duration, run: () => void): Timer {
    const { scheduler } = this.context;
    return scheduler.at(scheduler.now() + duration, () => {
      scheduler.touched();
      run();
    });
  }

  /** Tells the trace what came of an exchange; the caller knows what an answer means. */
  note(action: DnsEvent['action'], exchange: Exchange, server: ServerAddress, id?: number, detail?: string): void {
    const { trace, host, scheduler } = this.context;
    trace?.({
      kind: 'dns',
      time: scheduler.now(),
      host,
      action,
      where: this.who,
      name: exchange.name,
      type: rrName(exchange.type),
      server: serverText(server),
      zone: exchange.zone,
      id,
      detail,
    });
  }
}

export const edns = (): NonNullable<DnsMessage['edns']> => ({
  udpPayloadSize: EDNS_SIZE,
  extendedRcode: 0,
  version: 0,
  dnssecOk: false,
  options: new Uint8Array(0),
});

export function framed(message: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(message.length >> 8, message.length & 255), message]);
}

export function unframe(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < 2) return undefined;
  const length = (bytes[0] << 8) | bytes[1];
  return bytes.length < 2 + length ? undefined : bytes.subarray(2, 2 + length);
}

function mixCase(name: DomainName, upper: () => boolean): DomainName {
  return name.replace(/[a-z]/gi, letter => (upper() ? letter.toUpperCase() : letter.toLowerCase()));
}

function matches(answer: DnsMessage, query: DnsMessage): 'exact' | 'other-case' | 'other' {
  const [asked] = query.questions;
  const [got] = answer.questions;
  if (!answer.response || answer.id !== query.id) return 'other';
  // A server that can't read the question may leave it out of its error (RFC 5452 §9.1 wants it otherwise).
  if (got === undefined) return answer.rcode === RCODE.FORMERR || answer.rcode === RCODE.NOTIMP ? 'exact' : 'other';
  if (answer.questions.length !== 1 || got.type !== asked.type || !sameName(got.name, asked.name)) return 'other';
  return got.name === asked.name ? 'exact' : 'other-case';
}

/** 'NXDOMAIN', or the data. */
export const outcome = (answer: DnsMessage, data: string): string =>
  answer.rcode === RCODE.NOERROR ? data || 'no such record' : rcodeName(answer.rcode);
