/**
 * A cache of answers with their TTLs (RFC 1034 §3.6, RFC 2181 §8), negative ones too (RFC 2308). Browser, host, home
 * router and resolver each have their own; any can be looked into, emptied and switched off.
 */
import { type Instant, seconds } from '../../base/instant.ts';
import type { Scheduler } from '../../base/scheduler.ts';
import { formatData } from '../../wire/dns.ts';
import { canonicalName } from '../../wire/dns-name.ts';
import { type DomainName, RCODE, type ResourceRecord, rrName, typeOf } from '../../wire/dns-types.ts';
import type { Answer } from './types.ts';

/** RFC 2308 §5: "a maximum of 3 hours" for what does not exist; RFC 8767 §4: 7 days for what does. */
const MAX_NEGATIVE_TTL = 3 * 3600;
const MAX_TTL = 7 * 86400;

interface Entry {
  answer: Answer;
  storedAt: Instant;
  expires: Instant;
}

export class DnsCache {
  readonly label: string;
  enabled = true;
  maxEntries = 10_000;
  private readonly scheduler: Scheduler;
  private readonly entries = new Map<string, Entry>();

  /** `label` names it in traces: 'browser cache'. */
  constructor(label: string, scheduler: Scheduler) {
    this.label = label;
    this.scheduler = scheduler;
  }

  /** The answer with its TTLs counted down. */
  get(name: DomainName, type: number): Answer | undefined {
    if (!this.enabled) return undefined;
    const key = keyOf(name, type);
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    const now = this.scheduler.now();
    if (entry.expires <= now) {
      this.entries.delete(key);
      return undefined;
    }
    const age = Math.floor((now - entry.storedAt) / 1e9);
    const aged = (record: ResourceRecord): ResourceRecord => ({ ...record, ttl: Math.max(0, record.ttl - age) });
    const { answer } = entry;
    return { ...answer, records: answer.records.map(aged), soa: answer.soa && aged(answer.soa) };
  }

  /** Failures of servers are not kept; neither is what has no TTL. */
  put(name: DomainName, type: number, answer: Answer): void {
    const ttl = lifetime(answer);
    if (!this.enabled || ttl <= 0) return;
    const key = keyOf(name, type);
    this.entries.delete(key);
    if (this.entries.size >= this.maxEntries) this.entries.delete(this.entries.keys().next().value as string);
    const now = this.scheduler.now();
    this.entries.set(key, { answer, storedAt: now, expires: now + seconds(ttl) });
  }

  clear(): void {
    this.entries.clear();
  }

  /** What is in it, one line an entry: 'www.example.test. A 203.0.113.80, 297 s left'. */
  list(): string[] {
    const now = this.scheduler.now();
    return [...this.entries]
      .filter(([, entry]) => entry.expires > now)
      .map(([key, { answer, expires }]) => {
        const data = answer.records
          .map(record => `${rrName(typeOf(record.data))} ${formatData(record.data)}`)
          .join(', ');
        const negative = answer.rcode === RCODE.NXDOMAIN ? 'does not exist' : 'has no such record';
        const what = data === '' ? `${key} ${negative}` : `${key.split(' ')[0]} ${data}`;
        return `${what}, ${Math.ceil((expires - now) / 1e9)} s left`;
      });
  }
}

const keyOf = (name: DomainName, type: number): string => `${canonicalName(name)} ${rrName(type)}`;

/** Seconds. RFC 2308 §5: the lesser of the SOA's TTL and its minimum field for a negative answer. */
function lifetime(answer: Answer): number {
  const found = answer.rcode === RCODE.NOERROR && answer.records.length > 0;
  if (found && answer.soa === undefined) return Math.min(MAX_TTL, ...answer.records.map(record => record.ttl));
  const { soa } = answer;
  if (soa?.data.type !== 'SOA' || (answer.rcode !== RCODE.NOERROR && answer.rcode !== RCODE.NXDOMAIN)) return 0;
  return Math.min(MAX_NEGATIVE_TTL, soa.ttl, soa.data.minimum, ...answer.records.map(record => record.ttl));
}
