/** DNS values: messages, questions, records (RFC 1035 §3-4; SRV RFC 2782, AAAA RFC 3596, OPT RFC 6891). */
import type { Ipv4Address } from './address.ts';

export const RR = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  AXFR: 252,
  ANY: 255,
} as const;

const RR_NAMES: Record<number, string> = Object.fromEntries(Object.entries(RR).map(([name, type]) => [type, name]));

/** 'A', or 'TYPE65' for one without a name here (RFC 3597 §5). */
export const rrName = (type: number): string => RR_NAMES[type] ?? `TYPE${type}`;

export function rrType(name: string): number | undefined {
  const known = (RR as Record<string, number>)[name.toUpperCase()];
  const numbered = /^TYPE(\d{1,5})$/i.exec(name);
  return known ?? (numbered && Number(numbered[1]) <= 0xffff ? Number(numbered[1]) : undefined);
}

export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;

const RCODE_NAMES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
export const rcodeName = (rcode: number): string => RCODE_NAMES[rcode] ?? `RCODE${rcode}`;

export const CLASS_IN = 1;

/**
 * A domain name in presentation form, absolute, with its final dot: 'www.example.test.'; the root is '.'. Letters
 * keep their case; a dot or backslash inside a label is '\.' or '\\', any byte outside printable ASCII is '\DDD'.
 */
export type DomainName = string;

export interface Question {
  name: DomainName;
  type: number;
  class: number;
}

export type RData =
  | { type: 'A'; address: Ipv4Address }
  | { type: 'AAAA'; address: Uint8Array }
  | { type: 'CNAME' | 'NS' | 'PTR'; name: DomainName }
  | {
      type: 'SOA';
      mname: DomainName;
      rname: DomainName;
      serial: number;
      refresh: number;
      retry: number;
      expire: number;
      minimum: number;
    }
  | { type: 'MX'; preference: number; exchange: DomainName }
  | { type: 'TXT'; strings: Uint8Array[] }
  | { type: 'SRV'; priority: number; weight: number; port: number; target: DomainName }
  | { type: 'other'; rrType: number; bytes: Uint8Array };

export interface ResourceRecord {
  name: DomainName;
  class: number;
  /** Seconds. */
  ttl: number;
  data: RData;
}

/** RFC 6891 §6.1: what an OPT record says, taken out of its odd fields. */
export interface Edns {
  udpPayloadSize: number;
  extendedRcode: number;
  version: number;
  dnssecOk: boolean;
  options: Uint8Array;
}

export interface DnsMessage {
  id: number;
  response: boolean;
  opcode: number;
  authoritative: boolean;
  truncated: boolean;
  recursionDesired: boolean;
  recursionAvailable: boolean;
  rcode: number;
  questions: Question[];
  answers: ResourceRecord[];
  authorities: ResourceRecord[];
  /** Without the OPT record, which is `edns`. */
  additionals: ResourceRecord[];
  edns?: Edns;
}

export const typeOf = (data: RData): number => (data.type === 'other' ? data.rrType : RR[data.type]);
