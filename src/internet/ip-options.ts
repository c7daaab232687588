/** What a node does with the options of a datagram that arrives (RFC 1122 §3.2.1.8, RFC 1812 §5.3.13, RFC 7126). */

import { ipv4, ipv4HeaderLength, parseIpv4Options } from '../wire/ipv4.ts';
import { Reader } from '../wire/reader.ts';

const LOOSE_SOURCE_ROUTE = 131;
const STRICT_SOURCE_ROUTE = 137;

export interface OptionsVerdict {
  /** Why the datagram goes no further. */
  drop?: string;
  /** RFC 792: the octet where the error was detected, for a parameter problem. */
  pointer?: number;
}

/**
 * RFC 7126 §4.3-4.4: source routes are dropped, they serve only to get around filters. Record route and timestamps
 * (RFC 7126 §4.5-4.6: may be ignored) pass as they are. Unknown options are ignored (RFC 1122 §3.2.1.8).
 */
export function dealWithOptions(bytes: Uint8Array, start: number): OptionsVerdict {
  const reader = new Reader(bytes, start + ipv4.size, start + ipv4HeaderLength(bytes, start));
  const options = parseIpv4Options(reader);
  if (reader.failure !== undefined) return { drop: 'ip-options', pointer: reader.failure.at - start };
  if (options.some(option => option.kind === LOOSE_SOURCE_ROUTE || option.kind === STRICT_SOURCE_ROUTE)) {
    return { drop: 'source-routed' };
  }
  return {};
}
