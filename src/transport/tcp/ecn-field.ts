/** Codepoints of the IP header (RFC 3168 §5), the three flags as one number (the ACE field, RFC 9768 §3.2.2), and counters of bytes. */
import { AE, CWR, ECE } from '../../wire/tcp.ts';

export const NOT_ECT = 0;
export const ECT1 = 1;
export const ECT0 = 2;
export const CE = 3;

/** AccECN's counters of bytes (RFC 9768 §3.2.1): 24 bits of each, and what they begin with. */
export const BYTES_24 = 0xffffff;
export interface EcnBytes {
  e0b: number;
  e1b: number;
  ceb: number;
}
export const initialBytes = (): EcnBytes => ({ e0b: 1, e1b: 1, ceb: 0 });

export const aceFlags = (ace: number): number => (ace & 4 ? AE : 0) | (ace & 2 ? CWR : 0) | (ace & 1 ? ECE : 0);
export const aceOf = (flags: number): number => (flags & AE ? 4 : 0) | (flags & CWR ? 2 : 0) | (flags & ECE ? 1 : 0);
