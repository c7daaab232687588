/** The one connection that a script is about: its ports, and how the script's numbers relate to those on the wire. */
import { seqAdd } from '../base/seq32.ts';
import type { TcpEndpoint } from '../transport/tcp/endpoint.ts';
import { ACK, SYN } from '../wire/tcp.ts';
import type { Sighting } from './packets.ts';
import type { ScriptSegment, ScriptTcpOption } from './script.ts';

const OVER: ReadonlySet<string> = new Set(['TIME_WAIT', 'CLOSED']);

export class Flow {
  readonly localPort: number;
  readonly remotePort: number;
  /** Opened by the host under test. */
  readonly active: boolean;
  endpoint: TcpEndpoint | undefined = undefined;
  /** The host's initial sequence number, and what the script calls it; undefined until its SYN was seen. */
  private localIsn: number | undefined = undefined;
  private scriptIsn = 0;
  /** Script's timestamp values to live ones. */
  private readonly stamps = new Map<number, number>();
  private lastStamp: { script: number; live: number } | undefined = undefined;
  heardSyn = false;
  /** The initial sequence number of the script's side. */
  private remoteIsn = 0;

  constructor(localPort: number, remotePort: number, active: boolean) {
    this.localPort = localPort;
    this.remotePort = remotePort;
    this.active = active;
  }

  /**
   * What is taken from the wire's numbers before they are compared. In a SYN a script gives initial sequence numbers
   * as they are; everywhere else numbers are relative to them.
   */
  bases(syn: boolean): { seq: number; ack: number } {
    return { seq: this.localBase(syn), ack: syn ? 0 : this.remoteIsn };
  }

  private localBase(syn: boolean): number {
    const isn = this.localIsn ?? 0;
    return syn ? (isn - this.scriptIsn) | 0 : isn;
  }

  owns(found: Sighting): boolean {
    const { segment } = found;
    return (
      segment !== undefined && segment.sourcePort === this.localPort && segment.destinationPort === this.remotePort
    );
  }

  /** The first that the host sends tells where its sequence numbers begin. */
  learn(script: ScriptSegment, found: Sighting, syn: boolean): void {
    if (found.segment !== undefined && syn && this.localIsn === undefined) {
      this.localIsn = found.segment.seq;
      this.scriptIsn = script.seq;
    }
    const live = found.options.find(option => option.kind === 'TS');
    const told = script.options?.find(option => option.kind === 'TS');
    if (live?.kind !== 'TS' || told?.kind !== 'TS') return;
    this.stamps.set(told.val, live.val);
    this.lastStamp = { script: told.val, live: live.val };
  }

  /** What the host would echo for a timestamp that the script names. */
  liveEcho(ecr: number): number {
    if (ecr === 0 && !this.stamps.has(0)) return 0;
    const known = this.stamps.get(ecr);
    if (known !== undefined) return known;
    return this.lastStamp === undefined ? ecr : (ecr - this.lastStamp.script + this.lastStamp.live) >>> 0;
  }

  /** A sequence number of the script's side on the wire. */
  remoteSeq(script: ScriptSegment): number {
    if (!(script.flags & SYN)) return seqAdd(script.seq, this.remoteIsn);
    // A SYN into a connection that stands is an attack, not a beginning; of those that are over only a listener's reopen.
    const reopens = !this.active && (script.flags & ACK) === 0;
    const opens = this.endpoint === undefined || !this.heardSyn || (reopens && OVER.has(this.endpoint.state));
    if (opens) this.remoteIsn = script.seq;
    return script.seq;
  }

  liveSeq(seq: number, syn = false): number {
    return seqAdd(seq, this.localBase(syn));
  }

  /** For option lists that are sent as they stand. */
  get map(): { ecr: (ecr: number) => number; seq: (seq: number) => number } {
    return { ecr: ecr => this.liveEcho(ecr), seq: seq => this.liveSeq(seq) };
  }

  static hasStamp(options: readonly ScriptTcpOption[] | undefined): boolean {
    return options?.some(option => option.kind === 'TS') ?? false;
  }
}
