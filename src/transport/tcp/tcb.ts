/** The transmission control block: the variables of RFC 9293 §3.3.1 under their own names, and the options agreed on. */
import type { Instant } from '../../base/instant.ts';
import { type Seq, seqAdd, seqDiff, seqGt, seqMax } from '../../base/seq32.ts';
import type { State } from './state.ts';

/** What a segment holds until more is known. */
export const DEFAULT_MSS = 536;
/** Bytes that timestamps take from every segment (RFC 7323 appendix A). */
export const TIMESTAMPS_LENGTH = 12;

/** RFC 791 §3.2: every internet module must be able to forward a datagram of 68 octets without further fragmentation. */
const LEAST_PACKET = 68;

export class Tcb {
  state: State = 'CLOSED';

  // Send sequence space.
  iss: Seq = 0;
  sndUna: Seq = 0;
  sndNxt: Seq = 0;
  /** The byte of a window probe may lie beyond SND.NXT: it counts as sent only when it is acknowledged. */
  sndMax: Seq = 0;
  /** Bytes, scaled. */
  sndWnd = 0;
  sndWl1: Seq = 0;
  sndWl2: Seq = 0;
  /** The largest window that the other end has offered (RFC 9293 §3.8.6.2.1, RFC 5961 §5.2). */
  maxSndWnd = 0;
  sndScale = 0;

  // Receive sequence space.
  irs: Seq = 0;
  rcvNxt: Seq = 0;
  /** The right edge that we promise: it does not move back (RFC 9293 §3.8.6, "shrinking the window"), or is kept here. */
  rcvAdv: Seq = 0;
  private takenBack: Seq | undefined = undefined;
  rcvScale = 0;

  /** MSS option of the other end, or what the user allows (TCP_MAXSEG). */
  private ofPeer = DEFAULT_MSS;
  /** What the path takes, without IP and TCP headers. */
  private ofPath = 1460;
  /** SND.WND in its largest half limits a segment where the other end has a tiny buffer; at first more than any segment has. */
  private ofWindow = 0x7fff_ffff;
  /** RFC 9293 §3.7.1: Eff.snd.MSS, reckoned when one of these changes or timestamps are agreed on. */
  mss = DEFAULT_MSS;

  private hasTimestamps = false;
  sackOn = false;
  scalingOn = false;
  tsOffset = 0;
  /** TS.Recent and when it was set (RFC 7323 §4.3, §5.5). */
  tsRecent = 0;
  tsRecentAt: Instant = 0;
  /** The segment being dealt with brought a newer one. */
  tsAdvanced = false;
  /** TSecr of the segment being dealt with, in our own clock. */
  lastEcho: number | undefined = undefined;
  /** Last.ACK.sent */
  lastAckSent: Seq = 0;

  get peerMss(): number {
    return this.ofPeer;
  }

  set peerMss(mss: number) {
    this.ofPeer = mss;
    this.reckonMss();
  }

  get pathMss(): number {
    return this.ofPath;
  }

  set pathMss(mss: number) {
    this.ofPath = mss;
    this.reckonMss();
  }

  get timestampsOn(): boolean {
    return this.hasTimestamps;
  }

  set timestampsOn(on: boolean) {
    this.hasTimestamps = on;
    this.reckonMss();
  }

  private reckonMss(): void {
    const { ofPeer, ofPath, ofWindow } = this;
    this.mss = Math.min(Math.min(ofPeer, ofPath) - (this.hasTimestamps ? TIMESTAMPS_LENGTH : 0), ofWindow);
  }

  /** `window` is the largest so far; with `binds`, a segment takes half of it at most, all of a tiny one (Linux). */
  setLargestWindow(window: number, binds: boolean): void {
    this.maxSndWnd = window;
    if (!binds) return;
    const least = LEAST_PACKET - 20 - (this.timestampsOn ? TIMESTAMPS_LENGTH : 0);
    this.ofWindow = Math.max(window > DEFAULT_MSS ? window >> 1 : window, least);
    this.reckonMss();
  }

  /** The right edge of the window that the other end offers. */
  get sndWndEnd(): Seq {
    return seqAdd(this.sndUna, this.sndWnd);
  }

  /** RCV.WND as promised. */
  get rcvWnd(): number {
    const window = seqDiff(this.rcvAdv, this.rcvNxt);
    return window > 0 ? window : 0;
  }

  /** RFC 9293 §3.8.6: "the receiver ... MUST be prepared to accept" what it has once promised; the farthest edge ever. */
  get rcvEdge(): Seq {
    const { rcvAdv, takenBack } = this;
    return takenBack === undefined ? rcvAdv : seqMax(rcvAdv, takenBack);
  }

  /** The window opens: its right edge is `edge` from now on. */
  promise(edge: Seq): void {
    this.rcvAdv = edge;
    if (this.takenBack !== undefined && !seqGt(this.takenBack, edge)) this.takenBack = undefined;
  }

  /** The window shrinks: its right edge is `edge` from now on. */
  takeBack(edge: Seq): void {
    this.takenBack = this.rcvEdge;
    this.rcvAdv = edge;
  }

  /** The timestamp clock: milliseconds (RFC 7323 §5.4: between 1 ms and 1 s a tick). */
  timestamp(now: Instant): number {
    return (Math.floor(now / 1e6) + this.tsOffset) | 0;
  }
}
