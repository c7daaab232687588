/**
 * Accurate ECN (RFC 9768): each end counts the marked packets that it has received, and the bytes by their codepoint. The
 * low bits of the first go back in every segment (the ACE field), the others in an option where there is room. This is
 * what the two halves (ecn-counters.ts, ecn-feedback.ts) have in common: the handshake, and what it finds wrong on the way.
 */
import type { Duration, Instant } from '../../base/instant.ts';
import type { Seq } from '../../base/seq32.ts';
import type { AccEcnField } from '../../wire/tcp.ts';
import { EcnCounters, INITIAL_OPTION, type OptionFit } from './ecn-counters.ts';
import { ACE_MASK, EcnFeedback, INITIAL_CE } from './ecn-feedback.ts';
import { aceFlags, aceOf, CE, NOT_ECT } from './ecn-field.ts';
import type { TcpSettings } from './types.ts';

/** §3.1.1, table 2: the ACE field of a SYN+ACK, and §3.2.2.1 of the ACK of one, tells the codepoint of what it answers. */
const HANDSHAKE = [2, 3, 4, 6];
/** §3.1.2: a SYN+ACK with 101 is taken to say that the SYN arrived unchanged. */
const RESERVED = 5;
/** §3.1.4.2: SYN+ACKs that are repeated before one does without ECN. */
const TRIES = 1;

export class AccurateEcn {
  readonly isAccurate = true;
  readonly received = new EcnCounters();
  readonly feedback: EcnFeedback;
  /** Something on the way changes the fields that it should leave alone, or loses what has them (§3.2.2.3, §3.1.4.2). */
  failsReceived = false;
  failsSent = false;
  /** Acknowledgements with the option do not arrive (§3.2.3.2.2). */
  optionIsLost = false;
  private readonly settings: TcpSettings;
  private synCodepoint: number;
  private handshakeAce: number | undefined = undefined;
  private synAcks = 0;
  /** Where the D-SACK begins that went with the option last: what comes again from there says that it was lost. */
  private reported: Seq | undefined = undefined;

  /**
   * `synCodepoint`: with which the other end's SYN or SYN+ACK came. `feedback`, of a client: the ACE field of the SYN+ACK,
   * which says how our SYN arrived; our next ACK says the same of the SYN+ACK.
   */
  constructor(settings: TcpSettings, synCodepoint: number, feedback?: number) {
    this.settings = settings;
    this.feedback = new EcnFeedback(settings.accurateEcnRule === 'linux');
    this.synCodepoint = synCodepoint;
    if (feedback === undefined) this.received.begin(synCodepoint);
    else this.beginAsClient(feedback);
  }

  private beginAsClient(feedback: number): void {
    const { synCodepoint, settings } = this;
    this.handshakeAce = HANDSHAKE[synCodepoint];
    // A SYN of ours is never ECN-capable, and nobody may make it so. Linux looks at it where it would count for something.
    const unchanged = feedback === HANDSHAKE[NOT_ECT] || feedback === RESERVED;
    const looks = settings.accurateEcnRule !== 'linux' || synCodepoint === CE;
    this.failsReceived = settings.ecnFallback && !unchanged && looks;
    if (synCodepoint === CE && !this.failsReceived) this.received.packets++;
  }

  /** Nothing of ours is ECN-capable then. */
  get isMangled(): boolean {
    return this.failsReceived || this.failsSent;
  }

  get hasSeen(): boolean {
    return this.received.hasSeen;
  }

  // --- the handshake

  /** §3.1.4.2: the SYN+ACK that is repeated once more has no ECN in it; perhaps that is what it is lost for. */
  get synAckFlags(): number {
    return this.synAcks > TRIES ? 0 : aceFlags(HANDSHAKE[this.synCodepoint]);
  }

  /** A SYN+ACK was sent; `timedOut`: because nothing answered the one before. */
  synAckSent(timedOut: boolean): void {
    if (timedOut) this.synAcks++;
    if (this.synAcks > TRIES) this.failsSent = true;
  }

  /** The other end's SYN, or its SYN+ACK, comes again: what answers it tells how this one arrived. */
  synRepeated(flags: number, codepoint: number): void {
    this.synCodepoint = codepoint;
    if (aceOf(flags) === 0) this.failsReceived = true;
  }

  /** The next acknowledgement answers a SYN+ACK that came with this codepoint. */
  reflect(codepoint: number): void {
    this.handshakeAce = HANDSHAKE[codepoint];
  }

  reflected(): void {
    this.handshakeAce = undefined;
  }

  /** §3.2.2.1, table 4: the ACK of our SYN+ACK tells how that one arrived. */
  thirdAck(flags: number, hasData: boolean): void {
    const ace = aceOf(flags);
    if (ace === 0) this.failsReceived = true;
    else if (ace === HANDSHAKE[NOT_ECT] || !HANDSHAKE.includes(ace) || hasData) return;
    // Our SYN+ACK was not ECN-capable.
    else if (this.settings.ecnFallback) this.failsReceived = true;
    else if (ace === HANDSHAKE[CE]) this.feedback.packets++;
  }

  // --- as receiver

  /** True: one that is acknowledged (acknowledgements of acknowledgements would never end) is to be so at once. */
  packetArrived(codepoint: number, length: number, pieces: number, isAcknowledged: boolean): boolean {
    this.received.arrived(codepoint, length, pieces);
    return isAcknowledged && this.received.isUrgent(this.settings.accurateEcnMarks);
  }

  /** The ACE field is as the last one: no news. */
  expects(flags: number): boolean {
    return aceOf(flags) === ((this.feedback.packets + INITIAL_CE) & ACE_MASK);
  }

  /** The ACE field of a segment that goes out now. */
  get ackFlags(): number {
    const ace = this.handshakeAce ?? this.received.packets + INITIAL_CE;
    this.handshakeAce = undefined;
    this.received.answered();
    return aceFlags(ace & ACE_MASK);
  }

  /** `room`: bytes of options that are left beside `blocks` SACK blocks. */
  fit(now: Instant, room: number, blocks: number, srtt: Duration | undefined): OptionFit {
    return this.sendsOption(now, srtt) ? this.received.fit(room, blocks) : { blocks, fields: -1 };
  }

  /** §3.2.3.2: not before one has come, since then it gets through. */
  private sendsOption(now: Instant, srtt: Duration | undefined): boolean {
    const { accurateEcnOption: wanted, accurateEcnBeacons } = this.settings;
    if (wanted === 'off' || this.feedback.option === 'not seen') return false;
    if (this.optionIsLost && wanted !== 'persistent') return false;
    return wanted !== 'minimal' || this.received.isWanted(now, srtt, accurateEcnBeacons);
  }

  option(now: Instant, fields: number, reported: Seq | undefined): readonly AccEcnField[] | undefined {
    this.reported = fields < 0 ? undefined : reported;
    return fields < 0 ? undefined : this.received.tell(now, fields);
  }

  get synAckOption(): readonly AccEcnField[] | undefined {
    return this.settings.accurateEcnOption === 'off' ? undefined : INITIAL_OPTION;
  }

  /** Data comes that had come before, from `seq` on. */
  repeated(seq: Seq): void {
    if (this.reported === seq) this.optionIsLost = true;
  }
}
