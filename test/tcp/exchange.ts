/**
 * Tests of one TCP machine that read like an exchange, in packetdrill's notation:
 *
 *   FLAGS START:END(LENGTH) [ack N] [win N] [<options>]
 *
 * Sequence numbers are relative to the sender's initial one, acknowledgements to the other's. `sends` means that and
 * nothing else. Every test runs at several initial sequence numbers, one of which wraps.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instant, ms } from '../../src/base/instant.ts';
import { seqAdd } from '../../src/base/seq32.ts';
import { reno } from '../../src/transport/tcp/congestion/reno.ts';
import { TcpConnection } from '../../src/transport/tcp/connection.ts';
import { RFC_PROFILE } from '../../src/transport/tcp/profiles.ts';
import type { State } from '../../src/transport/tcp/state.ts';
import type { TcpEvent, TcpSettings } from '../../src/transport/tcp/types.ts';
import { ACK, CWR, ECE, FIN, PSH, RST, Segment, SYN, URG } from '../../src/wire/tcp.ts';
import { brokenInvariant } from '../lib/invariants.ts';

const LETTERS: readonly [string, number][] = [
  ['S', SYN],
  ['F', FIN],
  ['R', RST],
  ['P', PSH],
  ['U', URG],
  ['E', ECE],
  ['W', CWR],
  ['.', ACK],
];

export interface ExchangeOptions extends Partial<TcpSettings> {
  /** Our MSS option; default 1000. */
  mss?: number;
  /** The peer's window; default 32768. */
  window?: number;
  /** The peer's SYN options, as in '<mss 1000,sackOK>'. */
  peerOptions?: string;
  /** The flags of the peer's SYN+ACK; default 'S.'. */
  synAck?: string;
  iss?: number;
  peerIss?: number;
}

/** A byte of the peer's stream, by its place: so that what is read can be checked. */
const pattern = (offset: number): number => (offset * 31 + 7) & 0xff;

export class Exchange {
  now: Instant = ms(1000);
  readonly machine: TcpConnection;
  readonly events: TcpEvent[] = [];
  readonly decisions: string[] = [];
  private readonly iss: number;
  private readonly peerIss: number;
  private readonly window: number;
  private outbox: string[] = [];
  private readOffset = 0;
  private readonly lastSent: Segment[] = [];

  constructor(options: ExchangeOptions = {}) {
    const {
      mss = 1000,
      window = 32768,
      iss = currentIss,
      peerIss = currentPeerIss,
      peerOptions: _,
      synAck: __,
      ...settings
    } = options;
    this.iss = iss;
    this.peerIss = peerIss;
    this.window = window;
    this.machine = new TcpConnection({
      settings: {
        ...RFC_PROFILE,
        timestamps: false,
        windowScaling: false,
        congestionControl: reno,
        rack: false,
        tailLossProbe: false,
        ecn: 'off',
        noDelay: true,
        ...settings,
      },
      iss,
      localMss: mss,
      observer: { stateChanged() {}, decided: decision => void this.decisions.push(decision), dropped() {} },
    });
  }

  get state(): State {
    return this.machine.state;
  }

  /** Lets time pass, deadlines firing on the way. */
  after(duration: number): void {
    const until = this.now + duration;
    while (this.machine.deadline <= until) {
      this.now = Math.max(this.now, this.machine.deadline);
      this.machine.timeout(this.now);
      this.drain();
    }
    this.now = until;
  }

  open(): void {
    this.machine.open(this.now);
    this.drain();
  }

  accept(line: string): void {
    this.machine.accept(this.now, this.parse(line));
    this.drain();
  }

  write(length: number): number {
    const taken = this.machine.write(this.now, new Uint8Array(length));
    this.drain();
    return taken;
  }

  close(): void {
    this.machine.close(this.now);
    this.drain();
  }

  release(): void {
    this.machine.release(this.now);
    this.drain();
  }

  abort(): void {
    this.machine.abort(this.now);
    this.drain();
  }

  /** Reads exactly so many bytes and checks that they are the peer's, in order. */
  reads(length: number): void {
    let left = length;
    while (left > 0) {
      const bytes = this.machine.read(this.now, left);
      assert.ok(bytes !== undefined, `${left} more bytes should be readable`);
      for (const byte of bytes) assert.equal(byte, pattern(this.readOffset++), 'a byte is not in its place');
      left -= bytes.length;
    }
    this.drain();
  }

  get readable(): number {
    return this.machine.receiver.readable;
  }

  /** Segments from the peer. */
  gets(...lines: string[]): void {
    for (const line of lines) {
      this.machine.segmentArrives(this.now, this.parse(line));
      this.drain();
    }
  }

  /** What was sent since the last time, and nothing else. */
  sends(...lines: string[]): void {
    const got = this.outbox;
    this.outbox = [];
    this.lastSent.length = 0;
    const shown = got.map((line, at) => (lines[at] === undefined ? line : asDetailed(line, lines[at])));
    assert.deepEqual(shown, lines);
  }

  silent(): void {
    this.sends();
  }

  /** Forgets what was sent. */
  ignoreSent(): Segment[] {
    this.outbox = [];
    return this.lastSent.splice(0);
  }

  heard(type: TcpEvent['type']): TcpEvent | undefined {
    const at = this.events.findIndex(event => event.type === type);
    return at < 0 ? undefined : this.events.splice(at, 1)[0];
  }

  private drain(): void {
    for (;;) {
      const segment = this.machine.nextSegment(this.now);
      if (segment !== undefined) {
        this.lastSent.push(segment);
        this.outbox.push(this.format(segment));
        continue;
      }
      const event = this.machine.nextEvent();
      if (event === undefined) break;
      this.events.push(event);
    }
    assert.equal(brokenInvariant(this.machine), undefined);
  }

  /** All there is to say; `sends` compares what the expected line states. */
  private format(segment: Segment): string {
    const flags = LETTERS.filter(([, bit]) => segment.flags & bit)
      .map(([letter]) => letter)
      .join('');
    const start = (segment.seq - this.iss) | 0;
    const end = start + segment.length;
    const ack = segment.flags & ACK ? ` ack ${(segment.ack - this.peerIss) | 0}` : '';
    return `${flags} ${start}:${end}(${segment.length})${ack} win ${segment.window} <${this.optionsOf(segment)}>`;
  }

  private optionsOf(segment: Segment): string {
    const options: string[] = [];
    if (segment.mss >= 0) options.push(`mss ${segment.mss}`);
    if (segment.sackPermitted) options.push('sackOK');
    if (segment.hasTimestamps) options.push(`TS val ${segment.tsVal >>> 0} ecr ${segment.tsEcr >>> 0}`);
    if (segment.windowScale >= 0) options.push(`wscale ${segment.windowScale}`);
    for (const { start, end } of segment.sack)
      options.push(`sack ${(start - this.peerIss) | 0}:${(end - this.peerIss) | 0}`);
    return options.join(',');
  }

  private parse(line: string): Segment {
    const match = /^([SFRPUEW.]+) (-?\d+):(-?\d+)\((\d+)\)(?: ack (-?\d+))?(?: win (\d+))?(?: <(.*)>)?$/.exec(line);
    assert.ok(match !== null, `not a segment: '${line}'`);
    const [, flags, start, , length, ack, win, options] = match;
    const segment = new Segment();
    for (const letter of flags) segment.flags |= LETTERS.find(([known]) => known === letter)?.[1] ?? 0;
    segment.seq = seqAdd(this.peerIss, Number(start));
    if (ack !== undefined) {
      segment.flags |= ACK;
      segment.ack = seqAdd(this.iss, Number(ack));
    }
    segment.window = win === undefined ? this.window : Number(win);
    segment.length = Number(length);
    segment.payload = Uint8Array.from({ length: segment.length }, (_, i) => pattern(Number(start) - 1 + i));
    for (const option of (options ?? '').split(',')) this.parseOption(segment, option.trim());
    return segment;
  }

  private parseOption(segment: Segment, text: string): void {
    const numbers = [...text.matchAll(/-?\d+/g)].map(Number);
    if (text.startsWith('mss')) segment.mss = numbers[0];
    else if (text === 'sackOK') segment.sackPermitted = true;
    else if (text.startsWith('wscale')) segment.windowScale = numbers[0];
    else if (text.startsWith('TS')) {
      segment.hasTimestamps = true;
      [segment.tsVal, segment.tsEcr] = numbers.map(n => n | 0);
    } else if (text.startsWith('sack')) {
      const block = { start: seqAdd(this.iss, numbers[0]), end: seqAdd(this.iss, numbers[1]) };
      segment.sack = [...segment.sack, block];
    }
  }
}

/** Drops from what was sent what the expectation does not state. */
function asDetailed(got: string, expected: string): string {
  let line = got;
  if (!expected.includes('<')) line = line.replace(/ <.*>$/, '');
  if (!expected.includes(' win ')) line = line.replace(/ win \d+/, '');
  return line;
}

/** Through a real handshake, passive side the peer's. */
export function established(options: ExchangeOptions = {}): Exchange {
  const t = new Exchange(options);
  t.open();
  t.ignoreSent();
  const window = options.window ?? 32768;
  const offered = options.peerOptions ?? `mss 1000${options.sack === false ? '' : ',sackOK'}`;
  t.gets(`${options.synAck ?? 'S.'} 0:0(0) ack 1 win ${window} <${offered}>`);
  t.sends('. 1:1(0) ack 1');
  assert.equal(t.state, 'ESTABLISHED');
  t.heard('established');
  t.ignoreSent();
  return t;
}

let currentIss = 1000;
let currentPeerIss = 5000;
const STARTS: readonly (readonly [number, number])[] = [
  [1000, 5000],
  [0, 0xffff_fff0],
  [0x7fff_ff00, 0x7fff_fff0],
  [0xffff_fc00, 0xffff_f000],
];

/** One test, at every pair of initial sequence numbers. */
export function exchange(name: string, run: () => void): void {
  for (const [iss, peerIss] of STARTS) {
    test(`${name} [ISS ${iss.toString(16)}]`, () => {
      currentIss = iss;
      currentPeerIss = peerIss;
      run();
    });
  }
}
