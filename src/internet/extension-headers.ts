/**
 * The headers between an IPv6 header and the transport's, as a node that receives the packet deals with them
 * (RFC 8200 §4): in their order, each by its own rules.
 */
import { ipv6, NEXT_HEADER } from '../wire/ipv6.ts';

/** What stands behind them, or why the packet goes no further. */
export interface Walked {
  protocol: number;
  /** Where that begins. */
  start: number;
  /** Where the number of it stands. */
  named: number;
  /** Where the fragment header stands, if there is one. */
  fragmentAt: number;
  /** Not undefined: the packet is discarded. */
  drop: string | undefined;
  /** RFC 4443 §3.4: what its sender is told, and of which byte; a code of -1: nothing. */
  code: number;
  pointer: number;
  /** He is told even where the packet was for many (RFC 8200 §4.2, the option's first bits being 10). */
  evenToMany: boolean;
}

/** RFC 4443 §3.4. */
export const PROBLEM = { field: 0, nextHeader: 1, option: 2 } as const;

const PAD1 = 0;

/** `upTo`: a router that sends a packet on looks at the hop-by-hop options alone. */
export function walkHeaders(bytes: Uint8Array, start: number, end: number, upTo: 'hops' | 'transport'): Walked {
  const walked: Walked = {
    protocol: bytes[start + 6],
    start: start + ipv6.size,
    named: start + 6,
    fragmentAt: -1,
    drop: undefined,
    code: -1,
    pointer: 0,
    evenToMany: false,
  };
  while (walked.drop === undefined && isExtension(walked.protocol)) {
    if (upTo === 'hops' && walked.protocol !== NEXT_HEADER.hopByHop) break;
    // RFC 8200 §4.1: hop-by-hop options "immediately after an IPv6 header only"; elsewhere it is no header known there.
    if (walked.protocol === NEXT_HEADER.hopByHop && walked.start !== start + ipv6.size) {
      fail(walked, 'extension-order', PROBLEM.nextHeader, walked.named);
      break;
    }
    step(walked, bytes, end);
    // Behind a fragment header that is not the first, there is data and no header.
    if (walked.fragmentAt >= 0 && offsetAt(bytes, walked.fragmentAt) > 0) break;
  }
  return walked;
}

const isExtension = (protocol: number): boolean =>
  protocol === NEXT_HEADER.hopByHop ||
  protocol === NEXT_HEADER.routing ||
  protocol === NEXT_HEADER.fragment ||
  protocol === NEXT_HEADER.destinationOptions;

const offsetAt = (bytes: Uint8Array, fragment: number): number =>
  ((bytes[fragment + 2] << 8) | bytes[fragment + 3]) >> 3;

function fail(walked: Walked, drop: string, code = -1, pointer = 0, evenToMany = false): void {
  walked.drop = drop;
  walked.code = code;
  walked.pointer = pointer;
  walked.evenToMany = evenToMany;
}

/** One header. */
function step(walked: Walked, bytes: Uint8Array, end: number): void {
  const { protocol, start: at } = walked;
  const length = protocol === NEXT_HEADER.fragment ? 8 : (bytes[at + 1] + 1) * 8;
  if (at + 8 > end || at + length > end) return fail(walked, 'ip-truncated');
  if (protocol === NEXT_HEADER.fragment) walked.fragmentAt = at;
  else if (protocol === NEXT_HEADER.routing) {
    // RFC 8200 §4.4, RFC 5095 §3: of types that are not known one with segments left ends the way of its packet.
    if (bytes[at + 3] > 0) return fail(walked, 'routing-header', PROBLEM.field, at + 2);
  } else if (!dealWithOptions(walked, bytes, at + 2, at + length)) return;
  walked.named = at;
  walked.protocol = bytes[at];
  walked.start = at + length;
}

/** RFC 8200 §4.2: an option that is not known says itself what is to be done. False: the packet is discarded. */
function dealWithOptions(walked: Walked, bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; ) {
    const type = bytes[at];
    if (type === PAD1) {
      at++;
      continue;
    }
    if (at + 2 > end || at + 2 + bytes[at + 1] > end) {
      fail(walked, 'ip-option-length', PROBLEM.field, at + 1);
      return false;
    }
    // "00 - skip over this option"; the others: "discard the packet", and tell or do not tell.
    if (type >> 6 !== 0) {
      const isTold = type >> 6 > 1;
      fail(walked, 'ip-option', isTold ? PROBLEM.option : -1, at, type >> 6 === 2);
      return false;
    }
    at += 2 + bytes[at + 1];
  }
  return true;
}
