/** From a name as a person types it to addresses, or to a NameError that says what is wrong with it. */
import type { NameLookup } from '../../socket/types.ts';
import { formatIpv4, parseIpv4 } from '../../wire/address.ts';
import { absoluteName } from '../../wire/dns-name.ts';
import { RCODE, RR, rcodeName } from '../../wire/dns-types.ts';
import { type Answer, CNAME_LOOP, NameError, type Resolver } from './types.ts';

export class AddressLookup implements NameLookup {
  private readonly resolver: Resolver;

  constructor(resolver: Resolver) {
    this.resolver = resolver;
  }

  async lookup(name: string): Promise<string[]> {
    if (parseIpv4(name) !== undefined) return [name];
    const absolute = absoluteName(name);
    if (absolute === undefined) throw new NameError('EBADNAME', name, `'${name}' is no legal host name`);
    // RFC 6761 §6.3: localhost never leaves the host.
    if (/(^|\.)localhost\.$/i.test(absolute)) return ['127.0.0.1'];
    const answer = await this.resolver.resolve(absolute, RR.A);
    const addresses = answer.records.flatMap(record =>
      record.data.type === 'A' ? [formatIpv4(record.data.address)] : [],
    );
    if (addresses.length > 0) return addresses;
    throw nameError(name, answer);
  }
}

/** One error for each way in which a name has no address. */
export function nameError(name: string, answer: Answer): NameError {
  const soa = answer.soa;
  const zone =
    soa === undefined ? '' : ` (says the zone ${soa.name === '.' ? 'of the root' : soa.name.replace(/\.$/, '')})`;
  if (answer.rcode === RCODE.NXDOMAIN) return new NameError('ENOTFOUND', name, `${name} does not exist${zone}`);
  if (answer.rcode === RCODE.NOERROR)
    return new NameError('ENODATA', name, `${name} exists, but has no IPv4 address${zone}`);
  if (answer.why?.startsWith(CNAME_LOOP)) return new NameError('ECNAMELOOP', name, `${name} has no end: ${answer.why}`);
  const why = answer.why === undefined ? rcodeName(answer.rcode) : answer.why;
  if (answer.rcode === RCODE.REFUSED)
    return new NameError('EREFUSED', name, `${name}: the resolver refuses to answer (${why})`);
  return new NameError('ESERVFAIL', name, `${name} could not be looked up: ${why}`);
}
