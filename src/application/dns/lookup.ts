/** From a name as a person types it to addresses, or to a NameError that says what is wrong with it. */
import type { NameLookup } from '../../socket/types.ts';
import { formatIpv4 } from '../../wire/address.ts';
import { absoluteName } from '../../wire/dns-name.ts';
import { RCODE, RR, rcodeName } from '../../wire/dns-types.ts';
import { ipv6At, parseIp } from '../../wire/ip-address.ts';
import { type Answer, CNAME_LOOP, NameError, type Resolver } from './types.ts';

export class AddressLookup implements NameLookup {
  private readonly resolver: Resolver;

  constructor(resolver: Resolver) {
    this.resolver = resolver;
  }

  async lookup(name: string): Promise<string[]> {
    // A literal; one of IPv6 stands in brackets where it comes from a URL (RFC 3986 §3.2.2).
    const literal = name.replace(/^\[(.*)\]$/, '$1');
    if (parseIp(literal) !== undefined) return [literal];
    const absolute = absoluteName(name);
    if (absolute === undefined) throw new NameError('EBADNAME', name, `'${name}' is no legal host name`);
    // RFC 6761 §6.3: localhost never leaves the host.
    if (/(^|\.)localhost\.$/i.test(absolute)) return ['127.0.0.1'];
    const answer = await this.resolver.resolve(absolute, RR.A);
    const addresses = addressesIn(answer);
    if (addresses.length > 0) return addresses;
    // The name exists without an IPv4 address: it may have one of IPv6.
    if (answer.rcode !== RCODE.NOERROR) throw nameError(name, answer);
    const newer = addressesIn(await this.resolver.resolve(absolute, RR.AAAA));
    if (newer.length > 0) return newer;
    throw nameError(name, answer);
  }
}

const addressesIn = ({ records }: Answer): string[] =>
  records.flatMap(({ data }) => {
    if (data.type === 'A') return [formatIpv4(data.address)];
    return data.type === 'AAAA' ? [ipv6At(data.address, 0)] : [];
  });

/** One error for each way in which a name has no address. */
export function nameError(name: string, answer: Answer): NameError {
  const soa = answer.soa;
  const zone =
    soa === undefined ? '' : ` (says the zone ${soa.name === '.' ? 'of the root' : soa.name.replace(/\.$/, '')})`;
  if (answer.rcode === RCODE.NXDOMAIN) return new NameError('ENOTFOUND', name, `${name} does not exist${zone}`);
  if (answer.rcode === RCODE.NOERROR)
    return new NameError('ENODATA', name, `${name} exists, but has no address${zone}`);
  if (answer.why?.startsWith(CNAME_LOOP)) return new NameError('ECNAMELOOP', name, `${name} has no end: ${answer.why}`);
  const why = answer.why === undefined ? rcodeName(answer.rcode) : answer.why;
  if (answer.rcode === RCODE.REFUSED)
    return new NameError('EREFUSED', name, `${name}: the resolver refuses to answer (${why})`);
  return new NameError('ESERVFAIL', name, `${name} could not be looked up: ${why}`);
}
