/**
 * A recursive resolver (RFC 1034 §5.3.3): from the root servers down, by referrals and their glue, along aliases, with a
 * cache of everything it learns. What a server says beyond its own zone is not believed (RFC 2181 §5.4.1).
 */
import { type Duration, ms } from '../../base/instant.ts';
import type { Network } from '../../socket/types.ts';
import type { Context } from '../../trace/events.ts';
import { formatIpv4 } from '../../wire/address.ts';
import { canonicalName, isWithin, parentOf, sameName } from '../../wire/dns-name.ts';
import {
  type DnsMessage,
  type DomainName,
  RCODE,
  type ResourceRecord,
  RR,
  rcodeName,
  rrName,
  typeOf,
} from '../../wire/dns-types.ts';
import type { DnsCache } from './cache.ts';
import { DnsClient, type Exchange, ExchangeFailure, outcome } from './client.ts';
import { lookUp } from './forwarder.ts';
import { type Answer, CNAME_LOOP, dataList, type Resolver, type ServerAddress, serverText } from './types.ts';
import { UnderWay } from './under-way.ts';

export interface RecursiveOptions {
  /** The root hints. */
  roots: readonly ServerAddress[];
  cache: DnsCache;
  /** For each round of the servers of a zone. */
  timeouts?: readonly Duration[];
}

const TIMEOUTS = [ms(800), ms(1600)];
/** Bounds on what one question may cost, whatever hostile zones say (RFC 1034 §5.3.3: "bound the amount of work"). */
const MAX_QUERIES = 60;
const MAX_ALIASES = 16;
const MAX_DEPTH = 6;

/** The work that one question of a client's has cost. */
interface Budget {
  queries: number;
  depth: number;
}

interface ZoneServers {
  zone: DomainName;
  names: DomainName[];
  servers: ServerAddress[];
}

export class RecursiveResolver implements Resolver {
  readonly cache: DnsCache;
  private readonly context: Context;
  private readonly client: DnsClient;
  private readonly options: RecursiveOptions;
  private readonly underWay = new UnderWay();

  constructor(context: Context, network: Network, options: RecursiveOptions) {
    this.context = context;
    this.client = new DnsClient(context, network, 'resolver');
    this.options = options;
    this.cache = options.cache;
  }

  async resolve(name: DomainName, type: number): Promise<Answer> {
    const cached = lookUp(this.context, this.cache, name, type);
    if (cached !== undefined) return cached;
    return this.underWay.share(name, type, () => this.walk(name, type, { queries: 0, depth: 0 }));
  }

  /** Follows aliases, each from the top again. */
  private async walk(name: DomainName, type: number, budget: Budget): Promise<Answer> {
    const chain: ResourceRecord[] = [];
    let at = name;
    for (;;) {
      const answer = this.cache.get(at, type) ?? (await this.descend(at, type, budget));
      chain.push(...answer.records);
      const last = chain.at(-1);
      const unfinished =
        last?.data.type === 'CNAME' && type !== RR.CNAME && answer.rcode === RCODE.NOERROR && !answer.soa;
      if (!unfinished || last.data.type !== 'CNAME') {
        const whole = { ...answer, records: chain };
        this.cache.put(name, type, whole);
        return whole;
      }
      const target = last.data.name;
      if (chain.length > MAX_ALIASES || chain.some(record => sameName(record.name, target))) {
        const names = [...chain.map(record => record.name), target].map(text => text.replace(/\.$/, ''));
        return { rcode: RCODE.SERVFAIL, records: [], why: `${CNAME_LOOP}: ${names.slice(0, 6).join(' → ')}` };
      }
      at = target;
    }
  }

  /** From the closest zone whose servers are known down to the one that answers. */
  private async descend(name: DomainName, type: number, budget: Budget): Promise<Answer> {
    let zone = this.closestZone(name);
    for (;;) {
      const response = await this.askZone(zone, name, type, budget);
      if (response instanceof ExchangeFailure) return { rcode: RCODE.SERVFAIL, records: [], why: response.reason };
      const next = this.referral(response, zone, name);
      if (next === undefined) return this.conclude(response, zone, name, type);
      zone = next;
    }
  }

  private closestZone(name: DomainName): ZoneServers {
    for (let at: DomainName | undefined = canonicalName(name); at !== undefined; at = parentOf(at)) {
      const names = (this.cache.get(at, RR.NS)?.records ?? []).flatMap(r =>
        r.data.type === 'NS' ? [r.data.name] : [],
      );
      if (names.length > 0) return { zone: at, names, servers: this.knownAddresses(names) };
    }
    return { zone: '.', names: [], servers: [...this.options.roots] };
  }

  private knownAddresses(names: readonly DomainName[]): ServerAddress[] {
    return names.flatMap(name => addressesOf(this.cache.get(name, RR.A)?.records ?? [], name));
  }

  /** Asks the zone's servers, in random order, in rounds with growing patience. */
  private async askZone(
    zone: ZoneServers,
    name: DomainName,
    type: number,
    budget: Budget,
  ): Promise<DnsMessage | ExchangeFailure> {
    if (zone.servers.length === 0) zone.servers = await this.findServers(zone, budget);
    const order = shuffle(zone.servers, bound => this.context.random.below(bound));
    let failure = new ExchangeFailure(`no address is known for the name servers of ${zone.zone}`);
    for (const timeout of this.options.timeouts ?? TIMEOUTS) {
      for (const server of order) {
        if (++budget.queries > MAX_QUERIES) return new ExchangeFailure(`${name} needs too many queries`);
        const exchange: Exchange = { name, type, recursionDesired: false, timeout, zone: zone.zone };
        const response = await this.client.exchange(server, exchange);
        if (response instanceof ExchangeFailure) {
          failure = new ExchangeFailure(
            `no name server of ${zone.zone} answers; ${serverText(server)}: ${response.reason}`,
          );
        } else if (response.rcode !== RCODE.NOERROR && response.rcode !== RCODE.NXDOMAIN) {
          this.client.note('answer', exchange, server, undefined, rcodeName(response.rcode));
          failure = new ExchangeFailure(`${serverText(server)} answers ${rcodeName(response.rcode)} for ${zone.zone}`);
        } else {
          this.tell(response, exchange, server);
          return response;
        }
      }
    }
    return failure;
  }

  private tell(response: DnsMessage, exchange: Exchange, server: ServerAddress): void {
    const cut = response.authorities.find(record => record.data.type === 'NS');
    const refers = response.answers.length === 0 && cut !== undefined && !response.authoritative;
    if (refers) this.client.note('referral', exchange, server, undefined, cut.name);
    else this.client.note('answer', exchange, server, undefined, outcome(response, dataList(response.answers)));
  }

  /** Servers without glue are looked up like any other name, but not too deep (the NXNS attack). */
  private async findServers(zone: ZoneServers, budget: Budget): Promise<ServerAddress[]> {
    const found = this.knownAddresses(zone.names);
    if (found.length > 0 || budget.depth >= MAX_DEPTH) return found;
    for (const name of zone.names.slice(0, 4)) {
      const inner = { queries: budget.queries, depth: budget.depth + 1 };
      // A server that lies in the zone it serves can't be found without glue.
      const answer = isWithin(name, zone.zone) ? undefined : await this.walk(name, RR.A, inner);
      budget.queries = inner.queries;
      if (answer !== undefined) found.push(...addressesOf(answer.records, name));
      if (found.length > 0) break;
    }
    return found;
  }

  /** A delegation to a zone below this one and above the name; anything else is no progress. */
  private referral(response: DnsMessage, zone: ZoneServers, name: DomainName): ZoneServers | undefined {
    if (response.answers.length > 0 || response.rcode !== RCODE.NOERROR) return undefined;
    const servers = response.authorities.filter(record => record.data.type === 'NS');
    const cut = servers[0]?.name;
    if (cut === undefined || sameName(cut, zone.zone) || !isWithin(cut, zone.zone) || !isWithin(name, cut))
      return undefined;
    const ofCut = servers.filter(record => sameName(record.name, cut));
    this.cache.put(cut, RR.NS, { rcode: RCODE.NOERROR, records: ofCut });
    const names = ofCut.flatMap(record => (record.data.type === 'NS' ? [record.data.name] : []));
    // Glue is believed only from the zone that the server's name lies in.
    const glue = response.additionals.filter(record => record.data.type === 'A' && isWithin(record.name, zone.zone));
    for (const server of names) {
      const records = glue.filter(record => sameName(record.name, server));
      if (records.length > 0) this.cache.put(server, RR.A, { rcode: RCODE.NOERROR, records });
    }
    return {
      zone: canonicalName(cut),
      names,
      servers: names.flatMap(n =>
        addressesOf(
          glue.filter(r => sameName(r.name, n)),
          n,
        ),
      ),
    };
  }

  /** Keeps of the answer the chain that starts at the name, as far as the zone may speak of it. */
  private conclude(response: DnsMessage, zone: ZoneServers, name: DomainName, type: number): Answer {
    const records: ResourceRecord[] = [];
    let at = name;
    for (let n = 0; n <= MAX_ALIASES; n++) {
      const here = response.answers.filter(record => sameName(record.name, at) && isWithin(record.name, zone.zone));
      const wanted = here.filter(record => type === RR.ANY || typeOf(record.data) === type);
      if (wanted.length > 0) {
        records.push(...wanted);
        break;
      }
      const alias = here.find(record => record.data.type === 'CNAME');
      if (alias?.data.type !== 'CNAME' || records.includes(alias)) break;
      records.push(alias);
      at = alias.data.name;
    }
    const soa = response.authorities.find(record => record.data.type === 'SOA' && isWithin(record.name, zone.zone));
    const found = records.some(record => type === RR.ANY || typeOf(record.data) === type);
    const endsHere = records.length === 0 || isWithin(at, zone.zone);
    if (records.length === 0 && soa === undefined && response.rcode === RCODE.NOERROR) {
      return {
        rcode: RCODE.SERVFAIL,
        records,
        why: `the servers of ${zone.zone} are lame for ${name} ${rrName(type)}`,
      };
    }
    const answer: Answer = { rcode: endsHere || found ? response.rcode : RCODE.NOERROR, records };
    return !found && soa !== undefined && endsHere ? { ...answer, soa } : answer;
  }
}

const addressesOf = (records: readonly ResourceRecord[], name: DomainName): ServerAddress[] =>
  records.flatMap(record => (record.data.type === 'A' ? [{ address: formatIpv4(record.data.address), name }] : []));

function shuffle<T>(items: readonly T[], below: (bound: number) => number): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = below(i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}
