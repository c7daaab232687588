/** An authoritative server: answers from its zones by RFC 1034 §4.3.2, with the wildcards of RFC 4592. */
import { canonicalName, isWithin, parentOf, sameName } from '../../wire/dns-name.ts';
import { type DnsMessage, type DomainName, RCODE, type ResourceRecord, RR, typeOf } from '../../wire/dns-types.ts';
import type { DnsHandler } from './server.ts';
import { parseZoneFile, ZoneFileError, zoneNameOf } from './zone-file.ts';

export class Zone {
  readonly name: DomainName;
  readonly soa: ResourceRecord;
  private readonly byName = new Map<DomainName, ResourceRecord[]>();
  /** Names that exist because something below them does (RFC 4592 §2.2.2: empty non-terminals). */
  private readonly nonTerminals = new Set<DomainName>();

  /** Throws ZoneFileError for what is no zone. */
  constructor(records: readonly ResourceRecord[], file = 'zone') {
    const name = zoneNameOf(records);
    const soa = records.find(record => record.data.type === 'SOA');
    if (name === undefined || soa === undefined) throw new ZoneFileError(`${file}: a zone needs a SOA record`);
    this.name = canonicalName(name);
    this.soa = soa;
    for (const record of records) this.add(record, file);
  }

  static parse(text: string, origin: DomainName, file?: string): Zone {
    return new Zone(parseZoneFile(text, origin, file), file);
  }

  add(record: ResourceRecord, file = 'zone'): void {
    const name = canonicalName(record.name);
    if (!isWithin(name, this.name)) throw new ZoneFileError(`${file}: ${record.name} is not in ${this.name}`);
    const there = this.byName.get(name) ?? [];
    const hasAlias = there.some(other => other.data.type === 'CNAME');
    // RFC 1034 §3.6.2: "If a CNAME RR is present at a node, no other data should be present".
    if (there.length > 0 && (hasAlias || record.data.type === 'CNAME')) {
      throw new ZoneFileError(`${file}: ${record.name} has a CNAME and other data`);
    }
    this.byName.set(name, [...there, record]);
    for (let up = parentOf(name); up !== undefined && isWithin(up, this.name); up = parentOf(up))
      this.nonTerminals.add(up);
  }

  at(name: DomainName): readonly ResourceRecord[] {
    return this.byName.get(canonicalName(name)) ?? [];
  }

  exists(name: DomainName): boolean {
    const key = canonicalName(name);
    return this.byName.has(key) || this.nonTerminals.has(key);
  }

  /** The NS records of the delegation that `name` lies at or below, the topmost one. */
  delegation(name: DomainName): readonly ResourceRecord[] | undefined {
    const path: DomainName[] = [];
    for (let at: DomainName | undefined = canonicalName(name); at !== undefined && at !== this.name; at = parentOf(at))
      path.unshift(at);
    for (const cut of path) {
      const servers = this.at(cut).filter(record => record.data.type === 'NS');
      if (servers.length > 0) return servers;
    }
    return undefined;
  }

  /** RFC 4592 §3.3.1: the wildcard below the closest encloser, its records under the name that was asked for. */
  wildcard(name: DomainName): readonly ResourceRecord[] {
    for (let up = parentOf(canonicalName(name)); up !== undefined && isWithin(up, this.name); up = parentOf(up)) {
      const records = this.at(up === '.' ? '*.' : `*.${up}`);
      if (records.length > 0) return records.map(record => ({ ...record, name }));
      if (this.exists(up)) return [];
    }
    return [];
  }
}

/** RFC 1034 §3.6.2: how many aliases a server follows within its own zones. */
const MAX_ALIASES = 16;

export class AuthoritativeServer {
  private readonly zones: Zone[] = [];

  add(zone: Zone): void {
    this.zones.push(zone);
    this.zones.sort((a, b) => b.name.length - a.name.length);
  }

  readonly handle: DnsHandler = (query, response) => {
    const [question] = query.questions;
    const zone = this.zoneFor(question.name);
    if (zone === undefined || question.class !== 1) {
      response.rcode = RCODE.REFUSED;
      return;
    }
    response.authoritative = true;
    this.answer(zone, question.name, question.type, response, MAX_ALIASES);
    // RFC 4343 §4.1: an answer's owner may differ in case from the question; the question itself is given back as it was.
  };

  private zoneFor(name: DomainName): Zone | undefined {
    return this.zones.find(zone => isWithin(name, zone.name));
  }

  private answer(zone: Zone, name: DomainName, type: number, response: DnsMessage, aliasesLeft: number): void {
    const servers = zone.delegation(name);
    if (servers !== undefined) return this.refer(zone, servers, response);
    const records = zone.exists(name) ? zone.at(name) : zone.wildcard(name);
    if (records.length === 0 && !zone.exists(name)) {
      // RFC 2308 §2.1; after an alias, the rcode speaks of the last name (RFC 6604 §3).
      response.rcode = RCODE.NXDOMAIN;
      return this.negative(zone, response);
    }
    const alias = records.find(record => record.data.type === 'CNAME');
    if (alias?.data.type === 'CNAME' && type !== RR.CNAME && type !== RR.ANY) {
      return this.follow(alias, alias.data.name, type, response, aliasesLeft);
    }
    const found = records.filter(record => type === RR.ANY || typeOf(record.data) === type);
    if (found.length === 0) return this.negative(zone, response);
    response.answers.push(...found);
    this.addGlue(zone, found, response);
  }

  private follow(
    alias: ResourceRecord,
    target: DomainName,
    type: number,
    response: DnsMessage,
    aliasesLeft: number,
  ): void {
    const seen = response.answers.some(record => sameName(record.name, alias.name));
    if (!seen) response.answers.push(alias);
    const next = this.zoneFor(target);
    if (!seen && next !== undefined && aliasesLeft > 0) this.answer(next, target, type, response, aliasesLeft - 1);
  }

  private refer(zone: Zone, servers: readonly ResourceRecord[], response: DnsMessage): void {
    if (response.answers.length === 0) response.authoritative = false;
    response.authorities.push(...servers);
    this.addGlue(zone, servers, response);
  }

  private negative(zone: Zone, response: DnsMessage): void {
    response.authorities.push(zone.soa);
  }

  /** Addresses of the servers that are named, where this zone has them (glue below a cut included). */
  private addGlue(zone: Zone, records: readonly ResourceRecord[], response: DnsMessage): void {
    for (const { data } of records) {
      const target =
        data.type === 'NS'
          ? data.name
          : data.type === 'MX'
            ? data.exchange
            : data.type === 'SRV'
              ? data.target
              : undefined;
      if (target === undefined) continue;
      response.additionals.push(
        ...zone.at(target).filter(record => record.data.type === 'A' || record.data.type === 'AAAA'),
      );
    }
  }
}
