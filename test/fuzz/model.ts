/**
 * A model check of TCP's machine: two of ours, a network that loses, repeats, delays and reorders, users who write, read
 * and close as they like, and an attacker who sends what he cannot know better. After every step the invariants hold;
 * in the end both are in CLOSED or TIME_WAIT and everything that was written was read, or a reset says why not.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Duration, type Instant, minutes, ms } from '../../src/base/instant.ts';
import { seqAdd, seqDiff, seqGt } from '../../src/base/seq32.ts';
import { TcpConnection } from '../../src/transport/tcp/connection.ts';
import { PROFILES, type ProfileName } from '../../src/transport/tcp/profiles.ts';
import type { EcnMode } from '../../src/transport/tcp/types.ts';
import { ACK, PSH, RST, Segment, SYN } from '../../src/wire/tcp.ts';
import { brokenInvariant } from '../lib/invariants.ts';

type Side = 0 | 1;

export type Step =
  | { kind: 'write'; side: Side; length: number }
  | { kind: 'read'; side: Side; most: number }
  | { kind: 'close' | 'release' | 'abort'; side: Side }
  | { kind: 'deliver' | 'lose' | 'repeat'; side: Side; which: number }
  | { kind: 'stale'; side: Side; which: number }
  | { kind: 'forge'; side: Side; seq: number; ack: number; flags: number; length: number }
  | { kind: 'wait'; time: Duration };

const FLAGS = [SYN, RST, ACK, ACK | PSH, RST | ACK, SYN | ACK, 0];
const side = fc.constantFrom<Side>(0, 1);

/** Most steps deliver; aborts are rare, so that connections live. */
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 120, arbitrary: fc.record({ kind: fc.constant('deliver' as const), side, which: fc.nat(3) }) },
  { weight: 45, arbitrary: fc.record({ kind: fc.constant('write' as const), side, length: fc.nat(6000) }) },
  { weight: 36, arbitrary: fc.record({ kind: fc.constant('read' as const), side, most: fc.nat(8000) }) },
  { weight: 36, arbitrary: fc.record({ kind: fc.constant('wait' as const), time: fc.nat(3000).map(ms) }) },
  { weight: 18, arbitrary: fc.record({ kind: fc.constant('lose' as const), side, which: fc.nat(5) }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('repeat' as const), side, which: fc.nat(5) }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('stale' as const), side, which: fc.nat(200) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('forge' as const),
      side,
      seq: fc.nat(0xffffffff),
      ack: fc.nat(0xffffffff),
      flags: fc.constantFrom(...FLAGS),
      length: fc.nat(100),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('close' as const, 'release' as const), side }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), side }) },
);

export const scenario = fc.record({
  profile: fc.constantFrom<ProfileName>('rfc', 'linux', 'freebsd'),
  sack: fc.boolean(),
  timestamps: fc.boolean(),
  buffer: fc.constantFrom(4000, 20_000, 200_000),
  ecn: fc.constantFrom<EcnMode>('off', 'on', 'accurate'),
  iss: fc.constantFrom(0, 1000, 0x7fffff00, 0xfffffc00),
  steps: fc.array(step, { minLength: 20, maxLength: 300, size: 'max' }),
});

export type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

/** The byte at a place of a side's stream. */
const pattern = (from: Side, at: number): number => (at * 31 + from * 101 + (at >> 8)) & 255;

class Machine {
  readonly tcp: TcpConnection;
  readonly side: Side;
  /** On the way to the other side; copies of all that ever was. */
  outbox: Segment[] = [];
  readonly history: Segment[] = [];
  written = 0;
  readBytes = 0;
  failed = false;
  private lastEdge: number | undefined;

  constructor(tcp: TcpConnection, from: Side) {
    this.tcp = tcp;
    this.side = from;
  }

  drain(now: Instant): void {
    for (;;) {
      const segment = this.tcp.nextSegment(now);
      if (segment !== undefined) {
        if (segment.length > 0) {
          const payload = new Uint8Array(segment.length);
          this.tcp.copyPayload(segment, payload, 0);
          segment.payload = payload;
        }
        this.outbox.push(segment);
        if (this.history.length < 200) this.history.push(segment);
        continue;
      }
      const event = this.tcp.nextEvent();
      if (event === undefined) break;
      if (event.type === 'error') this.failed = true;
    }
    this.check();
  }

  private check(): void {
    const { tcp } = this;
    const wrong = brokenInvariant(tcp);
    assert.equal(wrong, undefined, `${tcp.state}: ${wrong}`);
    // RFC 9293 §3.8.6: what was promised once is taken, also where a window had to be taken back (Linux without memory).
    const { rcvAdv, rcvEdge, rcvNxt, irs } = tcp.tcb;
    if (tcp.state !== 'SYN_SENT' && tcp.state !== 'CLOSED' && irs !== 0) {
      if (this.lastEdge !== undefined)
        assert.ok(seqDiff(rcvEdge, this.lastEdge) >= 0, 'a promised window was forgotten');
      this.lastEdge = rcvEdge;
      assert.ok(seqDiff(rcvAdv, rcvNxt) >= 0);
    }
    assert.ok(tcp.sender.queue.pipe >= 0, 'less than nothing is in flight');
    if (tcp.state !== 'CLOSED') assert.ok(tcp.sender.recovery.window.cwnd >= 1, 'no congestion window');
  }

  /** What is read is what the other side wrote, in its order. */
  read(now: Instant, most: number): void {
    let left = most;
    while (left > 0) {
      const bytes = this.tcp.read(now, left);
      if (bytes === undefined) break;
      for (const byte of bytes)
        assert.equal(byte, pattern((1 - this.side) as Side, this.readBytes++), 'a byte is not in its place');
      left -= bytes.length;
    }
    this.drain(now);
  }

  write(now: Instant, length: number): void {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = pattern(this.side, this.written + i);
    this.written += this.tcp.write(now, bytes);
    this.drain(now);
  }
}

class Model {
  now: Instant = ms(1000);
  readonly machines: [Machine, Machine];
  steps = 0;

  constructor(s: Scenario) {
    const settings = {
      ...PROFILES[s.profile],
      sack: s.sack,
      timestamps: s.timestamps,
      ecn: s.ecn,
      receiveBuffer: s.buffer,
      sendBuffer: s.buffer,
      receiveBufferMax: 0,
      sendBufferMax: 0,
      keepAlive: undefined,
    };
    const make = (iss: number): TcpConnection => new TcpConnection({ settings: { ...settings }, iss, localMss: 1000 });
    this.machines = [new Machine(make(s.iss), 0), new Machine(make(seqAdd(s.iss, 0x1234567)), 1)];
    this.open();
  }

  private open(): void {
    const [client, server] = this.machines;
    client.tcp.open(this.now);
    client.drain(this.now);
    const syn = client.outbox.shift() as Segment;
    server.tcp.accept(this.now, syn);
    server.drain(this.now);
  }

  take(s: Step): void {
    this.steps++;
    if (s.kind === 'wait') return this.wait(s.time);
    const own = this.machines[s.side];
    const { tcp } = own;
    switch (s.kind) {
      case 'write':
        return own.write(this.now, s.length);
      case 'read':
        return own.read(this.now, s.most);
      case 'close':
        // Nobody has answered yet: there is no connection to be closed in order (RFC 9293 §3.10.4).
        if (tcp.state === 'SYN_SENT') own.failed = true;
        tcp.close(this.now);
        break;
      case 'release':
        tcp.release(this.now);
        break;
      case 'abort':
        tcp.abort(this.now);
        own.failed = true;
        break;
      case 'deliver':
        return this.deliver(s.side, s.which);
      case 'lose':
        own.outbox.splice(s.which % Math.max(own.outbox.length, 1), 1);
        return;
      case 'repeat': {
        const again = own.outbox[s.which % Math.max(own.outbox.length, 1)];
        if (again !== undefined && own.outbox.length < 500) own.outbox.push(again);
        return;
      }
      case 'stale': {
        const old = own.history[s.which % Math.max(own.history.length, 1)];
        if (old !== undefined) own.outbox.push(old);
        return;
      }
      case 'forge':
        return this.forge(s);
    }
    own.drain(this.now);
  }

  /** The `which`th of those under way arrives at the other side. */
  private deliver(from: Side, which: number): void {
    const { outbox } = this.machines[from];
    if (outbox.length === 0) return;
    const [segment] = outbox.splice(which % outbox.length, 1);
    // Congestion on the way marks what may be marked (RFC 3168 §5).
    if (segment.ecn !== 0 && which % 3 === 2) segment.ecn = 3;
    const to = this.machines[1 - from];
    if (to.tcp.state !== 'CLOSED') to.tcp.segmentArrives(this.now, segment);
    to.drain(this.now);
  }

  /** A blind attacker knows the addresses and no sequence number: what is in the window by luck is not his to send here. */
  private forge(s: Extract<Step, { kind: 'forge' }>): void {
    const to = this.machines[s.side];
    const { tcb, state } = to.tcp;
    if (state === 'CLOSED' || state === 'SYN_SENT') return;
    const fromWindow = seqDiff(s.seq, tcb.rcvNxt);
    if (fromWindow > -200_000 && fromWindow < 400_000) return;
    const before = { state, rcvNxt: tcb.rcvNxt, una: tcb.sndUna };
    const segment = new Segment();
    Object.assign(segment, {
      seq: s.seq,
      ack: s.ack,
      flags: s.flags,
      length: s.length,
      payload: new Uint8Array(s.length).fill(255),
    });
    const { orphaned } = to.tcp;
    to.tcp.segmentArrives(this.now, segment);
    to.drain(this.now);
    assert.equal(tcb.rcvNxt, before.rcvNxt, 'a forged segment was taken');
    // BSD looks at the window later than at these: a SYN+ACK for what is half open, data for a user who has closed, and
    // what is acknowledged.
    const isBsd = to.tcp.settings.segmentRule === 'bsd';
    const isBogus = state === 'SYN_RCVD' && segment.has(SYN) && segment.has(ACK);
    if (isBsd && (isBogus || (orphaned && s.length > 0)) && to.tcp.state === 'CLOSED') return;
    if (isBsd && seqGt(tcb.sndUna, before.una)) return;
    assert.equal(to.tcp.state, before.state, 'a forged segment changed the state');
    assert.ok(!seqGt(tcb.sndUna, before.una), 'a forged acknowledgement was believed');
  }

  private wait(time: Duration): void {
    const until = this.now + time;
    for (;;) {
      const next = Math.min(this.machines[0].tcp.deadline, this.machines[1].tcp.deadline);
      if (next > until) break;
      this.now = Math.max(this.now, next);
      for (const machine of this.machines) {
        if (machine.tcp.deadline <= this.now) machine.tcp.timeout(this.now);
        machine.drain(this.now);
      }
    }
    this.now = until;
  }

  /** From here on the network is kind and both users read everything and close. */
  finish(): void {
    for (let round = 0; round < 3000; round++) {
      for (const machine of this.machines) machine.read(this.now, 1e9);
      if (round === 50) for (const machine of this.machines) this.take({ kind: 'close', side: machine.side });
      // An end whose other end is gone without a word waits for a FIN until its user goes as well.
      if (round === 500) for (const machine of this.machines) this.take({ kind: 'release', side: machine.side });
      for (const from of [0, 1] as const) while (this.machines[from].outbox.length > 0) this.deliver(from, 0);
      for (const machine of this.machines) machine.read(this.now, 1e9);
      if (this.isOver) break;
      const next = Math.min(this.machines[0].tcp.deadline, this.machines[1].tcp.deadline);
      this.wait(next === Number.POSITIVE_INFINITY ? ms(10) : Math.max(0, next - this.now));
    }
    this.wait(minutes(30));
    for (const machine of this.machines) {
      machine.outbox = [];
      assert.equal(machine.tcp.state, 'CLOSED', `one end is left in ${machine.tcp.state}`);
      assert.equal(machine.tcp.deadline, Number.POSITIVE_INFINITY, 'a timer outlives the connection');
    }
    const [a, b] = this.machines;
    if (a.failed || b.failed) return;
    assert.equal(a.readBytes, b.written, 'what was written was read');
    assert.equal(b.readBytes, a.written, 'what was written was read');
  }

  private get isOver(): boolean {
    return this.machines.every(
      ({ tcp, outbox }) => outbox.length === 0 && (tcp.state === 'CLOSED' || tcp.state === 'TIME_WAIT'),
    );
  }
}

/** Answers how many steps it took. */
export function check(s: Scenario): number {
  const model = new Model(s);
  for (const each of s.steps) model.take(each);
  // Who has released may have thrown data away: that the other end is told by a reset is checked, not the bytes.
  const released = s.steps.some(each => each.kind === 'release');
  if (released) for (const machine of model.machines) machine.failed = true;
  model.finish();
  return model.steps;
}

/** So many steps, in scenarios of up to 300. Throws with the smallest scenario that fails. */
export function modelCheck(steps: number, seed: number): number {
  let done = 0;
  let round = 0;
  while (done < steps) {
    fc.assert(
      fc.property(scenario, s => {
        done += check(s);
      }),
      { numRuns: 200, seed: seed + round++ },
    );
  }
  return done;
}
