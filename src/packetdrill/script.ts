/**
 * A packetdrill script as data: what stands in the file, nothing resolved and nothing run. The language is that of
 * google/packetdrill with the additions of the FreeBSD suite's dialect.
 */
import type { Duration } from '../base/instant.ts';

export interface Script {
  /** '--name=value' lines, in order; a flag without a value is ''. */
  options: ScriptOption[];
  events: ScriptEvent[];
}

export interface ScriptOption {
  name: string;
  value: string;
  line: number;
}

/** When an event happens. `any` ('*'): whenever it does; `end` is that of a range. */
export interface EventTime {
  kind: 'absolute' | 'relative' | 'any';
  at: Duration;
  end?: Duration;
}

export type ScriptEvent = { time: EventTime; line: number; text: string } & (
  | { kind: 'packet'; packet: ScriptPacket }
  | { kind: 'call'; call: SystemCall }
  | { kind: 'command'; command: string }
  | { kind: 'code'; code: string }
);

export interface IpInfo {
  ecn?: 'noecn' | 'ect0' | 'ect1' | 'ect01' | 'ce';
  tos?: number;
  ttl?: number;
  flowLabel?: number;
}

export type Direction = 'in' | 'out';

export type ScriptPacket = { direction: Direction; ip: IpInfo } & (
  | { kind: 'tcp'; tcp: ScriptSegment }
  | { kind: 'udp'; length: number }
  | { kind: 'icmp'; icmp: ScriptIcmp }
);

export interface ScriptSegment {
  flags: number;
  seq: number;
  length: number;
  ack?: number;
  window?: number;
  urgentPointer?: number;
  /** Undefined: '<...>', anything goes. */
  options: ScriptTcpOption[] | undefined;
}

export type ScriptTcpOption =
  | { kind: 'nop' }
  | { kind: 'eol' }
  | { kind: 'mss'; value: number }
  | { kind: 'wscale'; value: number }
  | { kind: 'sackOK' }
  | { kind: 'sack'; blocks: { start: number; end: number }[] }
  | { kind: 'TS'; val: number; ecr: number }
  | { kind: 'FO' | 'FOEXP'; cookie: Uint8Array }
  | { kind: 'md5'; digest: Uint8Array }
  | { kind: 'ECN'; fields: { name: 'e0b' | 'e1b' | 'ceb'; value: number }[] }
  | { kind: 'unknown'; number: number; data: Uint8Array };

export interface ScriptIcmp {
  type: string;
  code?: string;
  mtu?: number;
  /** What of the segment the error is about: its place in the stream. */
  about?: { kind: 'tcp'; seq: number; length: number } | { kind: 'udp'; length: number };
}

export interface SystemCall {
  name: string;
  args: Expression[];
  /** Undefined: '= ...', not checked. */
  result: Expression | undefined;
  errno?: string;
  /** When a call that blocks must have ended. */
  blocksUntil?: Duration;
}

export type Expression =
  | { kind: 'any' }
  | { kind: 'number'; value: number }
  | { kind: 'symbol'; name: string }
  | { kind: 'string'; value: string }
  | { kind: 'or'; parts: Expression[] }
  | { kind: 'not'; of: Expression }
  | { kind: 'list'; items: Expression[] }
  | { kind: 'struct'; fields: { name: string | undefined; value: Expression }[] }
  | { kind: 'apply'; name: string; args: Expression[] };

/** What is wrong with a script's text, and where. */
export class ScriptError extends Error {
  override name = 'ScriptError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}
