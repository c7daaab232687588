/** What the parts of the name system share. */

import { formatData } from '../../wire/dns.ts';
import type { DnsMessage, DomainName, ResourceRecord } from '../../wire/dns-types.ts';

/** What a resolver knows about a question. */
export interface Answer {
  rcode: number;
  /** The CNAMEs on the way and the records asked for. */
  records: ResourceRecord[];
  /** Of a negative answer (RFC 2308): the zone's SOA. */
  soa?: ResourceRecord;
  /** Why it failed, in words (RFC 8914), where somebody said so. */
  why?: string;
}

/** Answers questions; caches, forwarders and resolvers all are one. Rejects with NameError. */
export interface Resolver {
  resolve(name: DomainName, type: number): Promise<Answer>;
}

/** Node's codes for what can go wrong with a name. */
export type NameErrorCode = 'ENOTFOUND' | 'ENODATA' | 'ESERVFAIL' | 'EREFUSED' | 'ETIMEOUT' | 'EBADNAME' | 'ECNAMELOOP';

export class NameError extends Error {
  override name = 'NameError';
  readonly code: NameErrorCode;
  readonly hostname: string;

  constructor(code: NameErrorCode, hostname: string, message: string) {
    super(message);
    this.code = code;
    this.hostname = hostname;
  }
}

/** A DNS server to ask. */
export interface ServerAddress {
  address: string;
  /** Its name, for a person. */
  name?: string;
}

export const serverText = (server: ServerAddress): string =>
  server.name === undefined ? server.address : `${server.name.replace(/\.$/, '')} (${server.address})`;

export const dataList = (records: readonly ResourceRecord[]): string => records.map(r => formatData(r.data)).join(', ');

// RFC 8914: extended DNS errors.
const EDE_OPTION = 15;
export const EDE_OTHER = 0;
export const EDE_NO_REACHABLE_AUTHORITY = 22;
/** Used with EDE "Other": the text begins so. */
export const CNAME_LOOP = 'CNAME loop';

export function encodeExtendedError(code: number, text: string): Uint8Array {
  const words = new TextEncoder().encode(text).subarray(0, 200);
  const length = words.length + 2;
  return Uint8Array.from([0, EDE_OPTION, length >> 8, length & 255, code >> 8, code & 255, ...words]);
}

/** The text of the first extended error in a message's OPT record. */
export function extendedError(message: DnsMessage): string | undefined {
  const options = message.edns?.options ?? new Uint8Array(0);
  for (let at = 0; at + 4 <= options.length; ) {
    const code = (options[at] << 8) | options[at + 1];
    const length = (options[at + 2] << 8) | options[at + 3];
    if (at + 4 + length > options.length) return undefined;
    if (code === EDE_OPTION && length >= 2) return new TextDecoder().decode(options.subarray(at + 6, at + 4 + length));
    at += 4 + length;
  }
  return undefined;
}
