/** Explicit congestion notification: what the two ends agree on, and RFC 3168's echo of a mark until CWR answers it. */
import { ECE } from '../../wire/tcp.ts';
import { AccurateEcn } from './accurate-ecn.ts';
import { aceOf, CE, NOT_ECT } from './ecn-field.ts';
import type { EcnMode, TcpSettings } from './types.ts';

export type Ecn = ClassicEcn | AccurateEcn;

export class ClassicEcn {
  readonly isAccurate = false;
  readonly synAckFlags = ECE;
  /** An ECN-capable packet has come. */
  hasSeen = false;
  /** RFC 3168 §6.1.3: ECE on every acknowledgement until a CWR comes. */
  private echoing = false;

  /**
   * Data has come that had not come before (RFC 3168 §6.1.5 has the ECN field of other data ignored). True: the other
   * end should hear of it soon.
   */
  dataArrived(codepoint: number): boolean {
    if (codepoint === NOT_ECT) return this.hasSeen; // probably a retransmission
    this.hasSeen = true;
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
    return this.echoing ? ECE : 0;
  }
}

/** Our SYN asks for RFC 3168's ECN. */
export const asksForClassic = (mode: EcnMode): boolean => mode === 'on' || mode === 'accurate-on';

/** The SYN was answered: what did the two agree on? `flags` of the SYN+ACK and its codepoint, and what we had asked for. */
export function ecnAnswered(flags: number, settings: TcpSettings, codepoint: number): Ecn | undefined {
  const { ecn: mode } = settings;
  const ace = aceOf(flags);
  if (mode !== 'accurate') return asksForClassic(mode) && ace === 1 ? new ClassicEcn() : undefined;
  // RFC 9768 §3.1.2, table 2: the old way, no ECN at all or flags that are only reflected; all else is AccECN, with
  // what is reserved now (101) taken for it.
  if (ace === 1) return new ClassicEcn();
  return ace === 0 || ace === 7 ? undefined : new AccurateEcn(settings, codepoint, ace);
}

/** A SYN has come: `flags` of it, and what we are willing to. */
export function ecnAsked(flags: number, settings: TcpSettings, codepoint: number): Ecn | undefined {
  const { ecn: mode } = settings;
  if (mode === 'off') return undefined;
  const ace = aceOf(flags);
  // RFC 9768 §3.1.2: "any combination other than 000, 011 or 111 ... MUST negotiate ... as if they had been set to 111".
  if (mode.startsWith('accurate') && ace !== 0 && ace !== 3) return new AccurateEcn(settings, codepoint);
  // RFC 3168 §6.1.1: a SYN must not be ECN-capable itself; one that asks for AccECN may be.
  return (ace === 3 && codepoint === NOT_ECT) || ace === 7 ? new ClassicEcn() : undefined;
}
