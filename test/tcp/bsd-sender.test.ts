/** The freebsd profile sends what FreeBSD's own rules, written once more (bsd-sender.ts), would send: random losses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ms, seconds } from '../../src/base/instant.ts';
import { seededRandom } from '../../src/base/random.ts';
import { newReno } from '../../src/transport/tcp/congestion/newreno.ts';
import { FREEBSD_PROFILE } from '../../src/transport/tcp/profiles.ts';
import type { TcpSettings } from '../../src/transport/tcp/types.ts';
import type { Block } from './bsd-holes.ts';
import { BsdSender } from './bsd-sender.ts';
import { type Exchange, established } from './exchange.ts';

const MSS = 1000;
const WINDOW = 65_535;

/** A receiver that acknowledges all that reaches it. */
class Receiver {
  next = 1;
  private held: Block[] = [];
  private readonly sack: boolean;

  constructor(sack: boolean) {
    this.sack = sack;
  }

  takes(start: number, end: number): void {
    if (start > this.next) {
      const blocks = [{ start, end }];
      for (const block of this.held) {
        if (block.end < start || block.start > blocks[0].end) blocks.push(block);
        else blocks[0] = { start: Math.min(blocks[0].start, block.start), end: Math.max(blocks[0].end, block.end) };
      }
      this.held = blocks;
    } else this.next = Math.max(this.next, end);
    for (let again = true; again; ) {
      const at = this.held.findIndex(block => block.start <= this.next);
      again = at >= 0;
      if (again) this.next = Math.max(this.next, this.held.splice(at, 1)[0].end);
    }
  }

  get blocks(): Block[] {
    return this.sack ? this.held.slice(0, 4) : [];
  }
}

const shown = (t: Exchange): string[] =>
  t.ignoreSent().map(s => {
    const start = (s.seq - 1000) | 0;
    return s.length > 0 ? `${start}:${start + s.length}` : 'ack';
  });

/** Larger segments are cut as they would be. */
const cut = (lines: readonly string[]): string[] =>
  lines.flatMap(line => {
    if (line === 'ack') return [line];
    const [start, end] = line.split(':').map(Number);
    const parts: string[] = [];
    for (let at = start; at < end; at += MSS) parts.push(`${at}:${Math.min(at + MSS, end)}`);
    return parts;
  });

/** An acknowledgement says nothing where data goes along with it. */
const withoutAcks = (lines: string[]): string[] => {
  const data = lines.filter(line => line !== 'ack');
  return data.length > 0 ? data : lines.slice(0, 1);
};

interface Kind {
  name: string;
  sack: boolean;
  control: 'newreno' | 'cubic';
  prr: boolean;
  /** How often an acknowledgement echoes a mark. */
  marks?: number;
}

const KINDS: readonly Kind[] = [
  { name: 'NewReno without SACK', sack: false, control: 'newreno', prr: true },
  { name: 'NewReno with SACK', sack: true, control: 'newreno', prr: true },
  { name: 'NewReno with SACK, without PRR', sack: true, control: 'newreno', prr: false },
  { name: 'NewReno with SACK and ECN', sack: true, control: 'newreno', prr: true, marks: 0.03 },
  { name: 'NewReno without SACK, with ECN', sack: false, control: 'newreno', prr: true, marks: 0.03 },
  { name: 'CUBIC with SACK', sack: true, control: 'cubic', prr: true },
];

function play(kind: Kind, seed: number): void {
  const random = seededRandom(`bsd sender ${kind.name} ${seed}`);
  const settings: Partial<TcpSettings> = {
    ...FREEBSD_PROFILE,
    sendBuffer: 1 << 20,
    timestamps: false,
    ecn: kind.marks === undefined ? 'off' : 'on',
    sack: kind.sack,
    proportionalReduction: kind.prr,
    ...(kind.control === 'newreno' ? { congestionControl: newReno } : {}),
  };
  const peerOptions = `mss ${MSS}${kind.sack ? ',sackOK' : ''}`;
  const synAck = kind.marks === undefined ? 'S.' : 'SE.';
  const t = established({ ...settings, window: WINDOW, peerOptions, synAck });
  const model = new BsdSender({ mss: MSS, window: WINDOW, now: () => t.now / 1e6, ...kind });
  const receiver = new Receiver(kind.sack);
  const log: string[] = [];
  const onItsWay: Block[] = [];
  const loss = [0.02, 0.1, 0.3][random.below(3)];
  const same = (what: string): void => {
    const ours = withoutAcks(cut(shown(t)));
    const theirs = withoutAcks(model.sent.splice(0));
    const state = `cwnd ${model.cwnd} ssthresh ${model.ssthresh} pipe ${model.pipe}`;
    log.push(`${what} -> ${theirs.join(' ')}   (${state}; ours ${t.machine.sender.recovery.window.cwnd})`);
    if (ours.join(' ') !== theirs.join(' ')) {
      assert.fail(`seed ${seed}:\n${log.slice(-14).join('\n')}\nours: ${ours.join(' ')}`);
    }
    for (const line of theirs) {
      if (line === 'ack' || random.chance(loss)) continue;
      const [start, end] = line.split(':').map(Number);
      onItsWay.push({ start, end });
    }
  };
  let writes = 0;
  for (let step = 0; step < 400; step++) {
    if (writes < 60 && (onItsWay.length === 0 || random.chance(0.1))) {
      const segments = 1 + random.below(20);
      writes++;
      t.write(segments * MSS);
      model.write(segments * MSS);
      same(`write ${segments}`);
    }
    if (onItsWay.length > 0) {
      t.after(ms(2));
      const at = random.chance(0.05) ? random.below(Math.min(4, onItsWay.length)) : 0;
      const [arrived] = onItsWay.splice(at, 1);
      receiver.takes(arrived.start, arrived.end);
      const { next, blocks } = receiver;
      const options = blocks.length > 0 ? ` <${blocks.map(b => `sack ${b.start}:${b.end}`).join(',')}>` : '';
      // One behind a timeout makes FreeBSD send once more what that very segment acknowledges.
      const isBusy = model.nxt === model.max && model.una < model.max;
      const echo = isBusy && random.chance(kind.marks ?? 0);
      const line = `${echo ? 'E' : ''}. 1:1(0) ack ${next} win ${WINDOW}${options}`;
      t.gets(line);
      model.acknowledge(next, blocks, echo);
      same(line);
    } else if (t.machine.sender.queue.out > 0) {
      const before = t.now;
      const { segmentsSent } = t.machine.sender;
      while (t.machine.sender.segmentsSent === segmentsSent && t.now < before + seconds(200)) t.after(ms(1));
      model.timeout();
      same('timeout');
      t.after(ms(50));
    }
  }
}

for (const kind of KINDS) {
  test(`the freebsd profile: ${kind.name}`, () => {
    for (let seed = 1; seed <= 100; seed++) play(kind, seed);
  });
}
