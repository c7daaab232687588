/** A hosts file: an address and names a line, '#' begins a comment. Asked before any server, as its readers expect. */
import { parseIpv4, parseIpv6 } from '../../wire/address.ts';
import { absoluteName, canonicalName } from '../../wire/dns-name.ts';
import { CLASS_IN, type DomainName, type RData, type ResourceRecord, RR } from '../../wire/dns-types.ts';

export class HostsFile {
  private readonly byName = new Map<DomainName, RData[]>();

  constructor(text = '') {
    for (const line of text.split('\n')) this.addLine(line);
  }

  /** Lines that make no sense are passed over, as every system does. */
  private addLine(line: string): void {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    for (const name of names) this.add(name, address);
  }

  add(name: string, address: string): void {
    const key = absoluteName(name);
    const v4 = parseIpv4(address);
    const v6 = v4 === undefined ? parseIpv6(address) : undefined;
    if (key === undefined || (v4 === undefined && v6 === undefined)) return;
    const data: RData = v4 !== undefined ? { type: 'A', address: v4 } : { type: 'AAAA', address: v6 as Uint8Array };
    const there = this.byName.get(canonicalName(key)) ?? [];
    this.byName.set(canonicalName(key), [...there, data]);
  }

  lookup(name: DomainName, type: number): ResourceRecord[] {
    const wanted = type === RR.A ? 'A' : type === RR.AAAA ? 'AAAA' : undefined;
    const there = this.byName.get(canonicalName(name)) ?? [];
    return there.filter(data => data.type === wanted).map(data => ({ name, class: CLASS_IN, ttl: 0, data }));
  }
}
