/**
 * Asks other resolvers: the stub in every host (with its hosts file and cache) and the forwarder in a home router (with
 * its cache) are the same thing with other settings. Equal questions that are under way share one answer.
 */
import { type Duration, seconds } from '../../base/instant.ts';
import type { Network } from '../../socket/types.ts';
import type { Context, DnsEvent } from '../../trace/events.ts';
import { type DnsMessage, type DomainName, RCODE, RR, rcodeName, rrName } from '../../wire/dns-types.ts';
import type { DnsCache } from './cache.ts';
import { DnsClient, type Exchange, ExchangeFailure, outcome } from './client.ts';
import type { HostsFile } from './hosts-file.ts';
import { type Answer, dataList, extendedError, type Resolver, type ServerAddress, serverText } from './types.ts';
import { UnderWay } from './under-way.ts';

export interface ForwarderOptions {
  /** 'stub' or 'forwarder', for traces. */
  who: string;
  servers: readonly ServerAddress[];
  cache: DnsCache;
  hosts?: HostsFile;
  /** One after the other, for as long as nobody answers; the servers take turns. */
  timeouts?: readonly Duration[];
}

const TIMEOUTS = [5, 5, 5, 5].map(seconds);

export class Forwarder implements Resolver {
  readonly cache: DnsCache;
  readonly hosts: HostsFile | undefined;
  servers: readonly ServerAddress[];
  private readonly context: Context;
  private readonly client: DnsClient;
  private readonly options: ForwarderOptions;
  private readonly underWay = new UnderWay();

  constructor(context: Context, network: Network, options: ForwarderOptions) {
    this.context = context;
    this.client = new DnsClient(context, network, options.who);
    this.options = options;
    this.cache = options.cache;
    this.hosts = options.hosts;
    this.servers = options.servers;
  }

  async resolve(name: DomainName, type: number): Promise<Answer> {
    const cached = lookUp(this.context, this.cache, name, type);
    if (cached !== undefined) return cached;
    const fromFile = this.inHostsFile(name, type);
    if (fromFile !== undefined) return fromFile;
    return this.underWay.share(name, type, () => this.ask(name, type));
  }

  private inHostsFile(name: DomainName, type: number): Answer | undefined {
    if (this.hosts === undefined) return undefined;
    const records = this.hosts.lookup(name, type);
    this.note(records.length > 0 ? 'cache-hit' : 'cache-miss', 'hosts file', name, type, dataList(records));
    return records.length > 0 ? { rcode: RCODE.NOERROR, records } : undefined;
  }

  private async ask(name: DomainName, type: number): Promise<Answer> {
    let failure = 'no name server is configured';
    const timeouts = this.options.timeouts ?? TIMEOUTS;
    for (let n = 0; n < timeouts.length && this.servers.length > 0; n++) {
      const server = this.servers[n % this.servers.length];
      const exchange: Exchange = { name, type, recursionDesired: true, timeout: timeouts[n] };
      if (n > 0) this.client.note('retry', exchange, server, undefined, failure);
      const response = await this.client.exchange(server, exchange);
      if (response instanceof ExchangeFailure) {
        failure = `${serverText(server)}: ${response.reason}`;
        continue;
      }
      const answer = toAnswer(response);
      this.client.note('answer', exchange, server, undefined, outcome(response, dataList(answer.records)));
      this.cache.put(name, type, answer);
      return answer;
    }
    return { rcode: RCODE.SERVFAIL, records: [], why: failure };
  }

  private note(action: DnsEvent['action'], where: string, name: DomainName, type: number, detail?: string): void {
    const { trace, host, scheduler } = this.context;
    trace?.({ kind: 'dns', time: scheduler.now(), host, action, where, name, type: rrName(type), detail });
  }
}

/** Asks a cache and tells the trace what it said. */
export function lookUp(context: Context, cache: DnsCache, name: DomainName, type: number): Answer | undefined {
  const found = cache.get(name, type);
  const action = found !== undefined ? 'cache-hit' : cache.enabled ? 'cache-miss' : 'cache-off';
  const detail = found && (dataList(found.records) || rcodeName(found.rcode));
  const { trace, host, scheduler } = context;
  trace?.({ kind: 'dns', time: scheduler.now(), host, action, where: cache.label, name, type: rrName(type), detail });
  return found;
}

export function toAnswer(response: DnsMessage): Answer {
  const soa = response.authorities.find(record => record.data.type === 'SOA');
  const wanted = response.questions[0]?.type;
  const isNegative = !response.answers.some(record => wanted === RR.ANY || record.data.type === rrName(wanted));
  const why = extendedError(response);
  return {
    rcode: response.rcode,
    records: response.answers,
    ...(isNegative && soa ? { soa } : {}),
    ...(why ? { why } : {}),
  };
}
