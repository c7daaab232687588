/**
 * Explicit congestion notification: RFC 3168's echo of a mark until it is answered by CWR, and RFC 9768's counters
 * (AccECN) that tell how many packets and bytes were marked.
 */
import { AE, CWR, ECE } from '../../wire/tcp.ts';

/** Codepoints of the IP header (RFC 3168 §5). */
export const NOT_ECT = 0;
export const ECT1 = 1;
export const ECT0 = 2;
export const CE = 3;

export type EcnMode = 'off' | 'passive' | 'on' | 'accurate';

/** RFC 9768 §3.1.1: the ACE field of a SYN+ACK tells which codepoint the SYN arrived with. */
const HANDSHAKE = [2, 3, 4, 6];
/** §3.2.2.1: counters begin at 5, so that a field of zeros is no answer. */
const INITIAL_CE = 5;
const INITIAL_BYTES = 1;

export const aceFlags = (ace: number): number => (ace & 4 ? AE : 0) | (ace & 2 ? CWR : 0) | (ace & 1 ? ECE : 0);
export const aceOf = (flags: number): number => (flags & AE ? 4 : 0) | (flags & CWR ? 2 : 0) | (flags & ECE ? 1 : 0);

export class Ecn {
  /** RFC 9768's counters, not RFC 3168's echo. */
  readonly isAccurate: boolean;
  /** RFC 3168 §6.1.3: ECE on every acknowledgement until a CWR comes. */
  private echoing = false;
  private seenCapable = false;
  /** What we have received (r.*) and what the other end has told of ours (s.*), as RFC 9768 §3.2.1 names them. */
  receivedCe = INITIAL_CE;
  receivedBytes = { e0: INITIAL_BYTES, e1: INITIAL_BYTES, ce: 0 };
  private toldCe = INITIAL_CE;
  /** The codepoint with which the other end's SYN (or SYN+ACK) came: our answer to it tells. */
  private readonly synCodepoint: number;
  private handshakeAce: number | undefined;

  constructor(isAccurate: boolean, synCodepoint = NOT_ECT, handshakeAce?: number) {
    this.isAccurate = isAccurate;
    this.synCodepoint = synCodepoint;
    this.handshakeAce = handshakeAce;
  }

  /** An ECN-capable packet has come. */
  get hasSeen(): boolean {
    return this.seenCapable;
  }

  /** The flags of our SYN+ACK. */
  get synAckFlags(): number {
    return this.isAccurate ? aceFlags(HANDSHAKE[this.synCodepoint]) : ECE;
  }

  /** RFC 9768 §3.1.2: the first ACK of the client tells how the SYN+ACK arrived, instead of a count. */
  takeHandshakeAce(): number | undefined {
    const ace = this.handshakeAce;
    this.handshakeAce = undefined;
    return ace;
  }

  /** An acceptable packet has come, with or without data (RFC 9768 §3.2.2). True: the other end should hear of it at once. */
  packetArrived(codepoint: number, bytes: number): boolean {
    if (!this.isAccurate) return false;
    const counted = this.receivedBytes;
    if (codepoint === CE) this.receivedCe++;
    if (codepoint === ECT0) counted.e0 = (counted.e0 + bytes) & 0xffffff;
    else if (codepoint === ECT1) counted.e1 = (counted.e1 + bytes) & 0xffffff;
    else if (codepoint === CE) counted.ce = (counted.ce + bytes) & 0xffffff;
    return codepoint === CE;
  }

  /** Data has come that had not come before (RFC 3168 §6.1.5 has the ECN field of other data ignored). */
  dataArrived(codepoint: number): boolean {
    if (this.isAccurate) return false;
    if (codepoint === NOT_ECT) return this.seenCapable; // probably a retransmission
    this.seenCapable = true;
    if (codepoint !== CE) return false;
    const fresh = !this.echoing;
    this.echoing = true;
    return fresh;
  }

  /** The other end says that it has reduced its window. */
  reduced(): void {
    this.echoing = false;
  }

  /** Flags for a segment with an acknowledgement. */
  get ackFlags(): number {
    if (this.isAccurate) return aceFlags(this.takeHandshakeAce() ?? this.receivedCe & 7);
    return this.echoing ? ECE : 0;
  }

  /** Does this segment's acknowledgement tell of marks? */
  echoed(flags: number, isSyn: boolean): boolean {
    if (isSyn) return false;
    if (!this.isAccurate) return (flags & ECE) !== 0;
    const marks = (aceOf(flags) - this.toldCe) & 7;
    this.toldCe += marks;
    return marks > 0;
  }
}

/** The SYN was answered: what did the two agree on? `flags` of the SYN+ACK, and what we had asked for. */
export function ecnAnswered(flags: number, mode: EcnMode, codepoint: number): Ecn | undefined {
  const ace = aceOf(flags);
  if (mode === 'accurate' && HANDSHAKE.includes(ace)) return new Ecn(true, codepoint, HANDSHAKE[codepoint]);
  const asked = mode === 'accurate' || mode === 'on';
  return asked && ace === 1 ? new Ecn(false) : undefined;
}

/** A SYN has come: `flags` of it, and what we are willing to. */
export function ecnAsked(flags: number, mode: EcnMode, codepoint: number): Ecn | undefined {
  if (mode === 'off') return undefined;
  const ace = aceOf(flags);
  if (ace === 7 && mode === 'accurate') return new Ecn(true, codepoint);
  // RFC 3168 §6.1.1: a SYN must not be ECN-capable itself; one that asks for AccECN may be (RFC 9768 §3.1.2).
  return (ace === 3 && codepoint === NOT_ECT) || ace === 7 ? new Ecn(false) : undefined;
}
