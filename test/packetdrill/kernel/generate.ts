/**
 * Random exchanges: what the script's side and the user do next, decided while the kernel plays, from a seed. Numbers are
 * chosen near those that matter (edges of segments, of windows, of what was acknowledged), since there stacks differ.
 */
import { type Random, seededRandom } from '../../../src/base/random.ts';
import { Marks } from './marks.ts';
import type { Recording } from './recording.ts';

export interface Theme {
  name: string;
  /** How likely each step is. */
  weights: Partial<Record<StepName, number>>;
  /** What the kernel is set to for it; a theme that has some runs only when it is asked for. */
  settings?: readonly string[];
}

/** Both directions, since marks are told by the other end. */
const MARKED: Theme['weights'] = {
  write: 5,
  ack: 6,
  sack: 2,
  duplicateAck: 1,
  data: 6,
  early: 1,
  old: 0.5,
  read: 2,
  wait: 2,
  fin: 0.3,
};
/** What is done with Fast Open, on whichever side. */
const FAST_OPEN: Theme['weights'] = {
  write: 3,
  ack: 4,
  data: 2,
  read: 2,
  wait: 2,
  longWait: 1,
  fin: 1,
  close: 1,
  reset: 0.3,
};

export const THEMES: readonly Theme[] = [
  {
    name: 'sender',
    weights: { write: 5, ack: 6, sack: 5, duplicateAck: 2, wait: 3, window: 1, option: 0.5, dsack: 0.5 },
  },
  { name: 'loss', weights: { write: 3, ack: 3, sack: 8, duplicateAck: 2, wait: 4, longWait: 2, dsack: 1 } },
  {
    name: 'receiver',
    weights: { data: 8, early: 5, old: 3, read: 5, wait: 3, write: 1, ack: 1, option: 0.5, beyond: 1 },
  },
  { name: 'window', weights: { write: 5, ack: 4, window: 6, wait: 3, longWait: 3, zeroWindow: 2 } },
  {
    name: 'close',
    weights: {
      write: 2,
      ack: 3,
      data: 2,
      read: 2,
      wait: 2,
      close: 2,
      shutdown: 2,
      fin: 3,
      reset: 0.7,
      odd: 1,
      early: 1,
    },
  },
  { name: 'attack', weights: { write: 2, ack: 2, data: 2, odd: 6, reset: 1, oldAck: 3, wait: 1, fin: 0.5, beyond: 1 } },
  {
    name: 'fast-open-server',
    weights: {
      ...FAST_OPEN,
      odd: 0.5,
      synAgain: 1,
      accept: 3,
    },
  },
  {
    name: 'fast-open-client',
    weights: {
      ...FAST_OPEN,
      odd: 0.3,
      sack: 1,
    },
  },
  {
    name: 'ecn',
    weights: MARKED,
    settings: ['net.ipv4.tcp_ecn=1'],
  },
  {
    name: 'accurate-ecn',
    weights: MARKED,
    settings: ['net.ipv4.tcp_ecn=1'],
  },
  {
    name: 'handshake',
    weights: { handshake: 8, accept: 2, write: 1, ack: 1, read: 1, wait: 2, longWait: 2, close: 0.4, fin: 0.5 },
  },
  { name: 'small', weights: { write: 3, smallWrite: 8, more: 3, ack: 5, option: 4, wait: 3, data: 1 } },
];

type StepName =
  | 'write'
  | 'smallWrite'
  | 'more'
  | 'ack'
  | 'sack'
  | 'dsack'
  | 'duplicateAck'
  | 'oldAck'
  | 'wait'
  | 'longWait'
  | 'window'
  | 'zeroWindow'
  | 'option'
  | 'data'
  | 'early'
  | 'old'
  | 'beyond'
  | 'read'
  | 'close'
  | 'shutdown'
  | 'fin'
  | 'reset'
  | 'odd'
  | 'synAgain'
  | 'handshake'
  | 'accept';

const OPENING = `
+0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0`;

export class Generator {
  private readonly random: Random;
  private readonly recording: Recording;
  private readonly theme: Theme;
  private readonly mss: number;
  private readonly stamps: boolean;
  private readonly sacks: boolean;
  private readonly scale: number;
  private window: number;
  private seq = 1;
  private una = 1;
  private finished = false;
  private closed = false;
  private stampClock = 1000;
  /** The opening SYN again, with so much data, and how much it had. */
  private syn: (length: number) => string = () => '';
  private early = 0;
  private passive = true;
  private readonly marks: Marks | undefined;

  constructor(seed: string, theme: Theme, recording: Recording) {
    this.random = seededRandom(seed);
    this.theme = theme;
    this.recording = recording;
    this.mss = this.pick([1000, 1000, 1460, 536, 1400]);
    this.stamps = this.chance(0.4);
    this.sacks = this.chance(0.75);
    this.scale = this.pick([-1, 0, 7, 7, 7]);
    this.window = this.scale > 2 ? this.pick([257, 1000, 2000]) : this.pick([20000, 32792, 65535]);
    if (/ecn$/.test(theme.name)) this.marks = new Marks(this.random, theme.name === 'accurate-ecn');
  }

  /** The lines that open the connection. */
  *opening(): IterableIterator<string> {
    if (this.theme.name === 'fast-open-server') return yield* this.fastOpenServer();
    if (this.theme.name === 'fast-open-client') return yield* this.fastOpenClient();
    if (this.theme.name === 'handshake') return yield* this.halfOpen();
    yield* OPENING.trim().split('\n');
    const passive = this.chance(0.7) && this.theme.name !== 'accurate-ecn';
    if (this.chance(0.15)) yield `+0 setsockopt(3, SOL_SOCKET, SO_RCVBUF, [${this.pick([4000, 10000, 30000])}], 4) = 0`;
    if (this.chance(0.1)) yield `+0 setsockopt(3, SOL_SOCKET, SO_SNDBUF, [${this.pick([5000, 10000, 30000])}], 4) = 0`;
    if (this.chance(0.1)) yield `+0 setsockopt(3, SOL_TCP, TCP_MAXSEG, [${this.pick([600, 1000, 1300])}], 4) = 0`;
    const offered = `mss ${this.mss}${this.sacks ? ',nop,nop,sackOK' : ''}${this.stamps ? `,nop,nop,TS val ${this.stampClock} ecr ` : ''}`;
    if (passive) {
      yield '+0 bind(3, ..., ...) = 0';
      yield '+0 listen(3, 1) = 0';
      yield `+0 < ${this.marks?.handshake('S') ?? 'S'} 0:0(0) win ${this.synWindow} <${offered}${this.stamps ? '0' : ''}${this.scaleOption}>`;
      yield this.segment('.', 1, 0, 1).replace(/^\S+/, `+${this.time(10, 100)}`);
      yield '+0 accept4(3, ..., ..., SOCK_NONBLOCK) = 4';
    } else {
      yield '+0 connect(3, ..., ...) = -1 EINPROGRESS';
      const counts = this.marks?.option(0) ?? '';
      yield `+${this.time(10, 100)} < ${this.marks?.handshake('S.') ?? 'S.'} 0:0(0) ack 1 win ${this.synWindow} <${offered}${this.stamps ? this.recording.lastStamp : ''}${this.scaleOption}${counts === '' ? '' : `,${counts}`}>`;
    }
  }

  /** One SYN, from either side. */
  private *halfOpen(): IterableIterator<string> {
    yield* OPENING.trim().split('\n');
    this.passive = this.chance(0.6);
    const stamps = this.stamps ? `,nop,nop,TS val ${this.stampClock} ecr 0` : '';
    this.syn = (length: number): string =>
      `< S 0:${length}(${length}) win ${this.synWindow} <mss ${this.mss}${this.sacks ? ',nop,nop,sackOK' : ''}${stamps}${this.scaleOption}>`;
    if (this.passive) {
      yield '+0 bind(3, ..., ...) = 0';
      yield `+0 listen(3, ${this.pick([1, 5])}) = 0`;
      yield `+0 ${this.syn(0)}`;
    } else {
      yield '+0 connect(3, ..., ...) = -1 EINPROGRESS';
    }
  }

  /** What answers a SYN or a SYN+ACK, well or badly. */
  private handshake(): string {
    const gap = `+${this.time(0, 100)}`;
    const ack = this.chance(0.8) ? 1 : this.pick([0, 2, 1000]);
    const length = this.pick([0, 0, 0, 10, 1000]);
    if (this.passive) {
      if (this.chance(0.15)) return `${gap} ${this.syn(this.pick([0, 10]))}`;
      const seq = this.chance(0.8) ? 1 : this.pick([0, 2, 1000, 70000]);
      const flags = this.chance(0.7) ? '.' : this.pick(['R.', 'R', 'F.', 'S', 'S.', 'SF', '-', 'P.', 'F']);
      if (seq === 1 && ack === 1 && flags === '.' && this.seq === 1) this.seq += length;
      return this.segment(flags, seq, length, ack).replace(/^\S+/, gap);
    }
    const options = /<.*>/.exec(this.syn(0).slice(2))?.[0].replace('ecr 0', `ecr ${this.recording.lastStamp}`) ?? '';
    if (this.chance(0.4)) return `${gap} < S. 0:0(0) ack ${ack} win ${this.synWindow} ${options}`;
    if (this.chance(0.3)) return `${gap} ${this.syn(this.pick([0, 0, 10]))}`;
    if (this.chance(0.4)) return this.segment(this.pick(['R.', 'R']), this.pick([0, 1]), 0, ack).replace(/^\S+/, gap);
    return this.segment(this.pick(['.', 'F.', 'SF', 'SF.', '-', 'P.']), this.pick([0, 1]), length, ack).replace(
      /^\S+/,
      gap,
    );
  }

  /** A SYN with a cookie and data, a cookie and none, a request, or a cookie that is wrong. */
  private *fastOpenServer(): IterableIterator<string> {
    yield* OPENING.trim().split('\n');
    yield '+0 bind(3, ..., ...) = 0';
    yield `+0 listen(3, ${this.pick([1, 5])}) = 0`;
    yield `+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [${this.pick([1, 5])}], 4) = 0`;
    const cookie = this.pick(['3021b9d889017eeb', '3021b9d889017eeb', '3021b9d889017eeb', '0123456789abcdef', '']);
    const stamps = this.stamps ? `TS val ${this.stampClock} ecr 0,` : 'nop,nop,';
    this.syn = (length: number): string =>
      `< S 0:${length}(${length}) win ${this.synWindow} <mss ${this.mss},${this.sacks ? 'sackOK,' : 'nop,nop,'}${stamps}FO ${cookie},nop,nop${this.scaleOption}>`;
    this.early = this.pick([0, 10, 100, 1000]);
    yield `+0 ${this.syn(this.early)}`;
    this.seq = 1;
    if (this.chance(0.7)) yield `+${this.time(0, 20)} accept4(3, ..., ..., SOCK_NONBLOCK) = 4`;
  }

  /** A cookie is asked for on a first connection; the second one begins with data. */
  private *fastOpenClient(): IterableIterator<string> {
    yield '+0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3';
    yield '+0 sendto(3, ..., 0, MSG_FASTOPEN, ..., ...) = ?';
    yield `+.010 < S. 123:123(0) ack 1 win 5840 <mss ${this.mss},nop,nop,sackOK,nop,wscale 6,FO abcd1234,nop,nop>`;
    yield '+0 close(3) = 0';
    yield '+.010 < F. 1:1(0) ack 2 win 92';
    yield '+0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 4';
    const early = this.pick([1, 100, 500, 1000, 2000, 5000]);
    yield `+0 sendto(4, ..., ${early}, MSG_FASTOPEN, ..., ...) = ?`;
    const sent = this.recording.sentTo - 1;
    const taken = this.pick([sent, sent, sent, 0, Math.floor(sent / 2)]);
    const stamps = this.stamps ? `,nop,nop,TS val ${this.stampClock} ecr ${this.recording.lastStamp}` : '';
    const data = this.chance(0.2) ? 100 : 0;
    this.una = 1 + taken;
    yield `+${this.chance(0.2) ? '1.1' : this.time(10, 100)} < S. 0:${data}(${data}) ack ${1 + taken} win ${this.synWindow} <mss ${this.mss}${this.sacks ? ',nop,nop,sackOK' : ''}${stamps}${this.scaleOption}>`;
    this.seq = 1 + data;
  }

  /** One more step; undefined: it is over. */
  next(): string | undefined {
    if (this.closed && this.finished && this.chance(0.3)) return undefined;
    for (;;) {
      const name = this.step();
      const line = this.line(name);
      if (line !== undefined) return line;
    }
  }

  private step(): StepName {
    const entries = Object.entries(this.theme.weights) as [StepName, number][];
    let left = (this.random.u32() / 2 ** 32) * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left <= 0) return name;
    }
    return entries[0][0];
  }

  private get fd(): number {
    return this.recording.calls.fd(4) === undefined ? 3 : 4;
  }

  private line(name: StepName): string | undefined {
    const { fd } = this;
    switch (name) {
      case 'write':
        return this.closed
          ? undefined
          : this.write(
              this.pick([this.mss, 2 * this.mss, 3 * this.mss + 77, 5 * this.mss, 10 * this.mss, 20 * this.mss]),
            );
      case 'smallWrite':
        return this.closed ? undefined : this.write(this.pick([1, 10, 100, 300, this.mss - 1]));
      case 'more':
        return this.closed
          ? undefined
          : `+${this.time(0, 60)} send(${fd}, ..., ${this.pick([50, 400, this.mss])}, MSG_MORE) = ?`;
      case 'ack':
        return this.ack();
      case 'sack':
        return this.sack();
      case 'dsack':
        return this.dsack();
      case 'duplicateAck':
        return this.segment('.', this.seq, 0, this.una);
      case 'oldAck':
        return this.segment('.', this.seq, 0, this.una - this.pick([1, 100, 1000, 70000, 3000000]));
      case 'wait':
        return `+${this.time(20, 250)} ioctl(${fd}, SIOCOUTQ, [?]) = 0`;
      case 'longWait':
        return `+${this.time(300, 1500)} ioctl(${fd}, SIOCOUTQNSD, [?]) = 0`;
      case 'window':
        this.window =
          this.scale > 2 ? this.pick([5, 10, 20, 100, 257, 2000]) : this.pick([500, 1500, 5000, 30000, 65535]);
        return this.segment('.', this.seq, 0, this.una);
      case 'zeroWindow':
        this.window = 0;
        return this.ack() ?? this.segment('.', this.seq, 0, this.una);
      case 'option':
        return this.option();
      case 'data':
        return this.data();
      case 'early':
        return this.finished
          ? undefined
          : this.segment(
              this.pick(['P.', '.']),
              this.seq + this.pick([1, 2, 3, 5]) * this.mss,
              this.pick([this.mss, this.mss, 2 * this.mss, 10]),
              this.una,
            );
      case 'old':
        return this.segment(
          '.',
          Math.max(1, this.seq - this.pick([1, 500, this.mss, 2 * this.mss])),
          this.pick([1, this.mss, 2 * this.mss]),
          this.una,
        );
      case 'beyond':
        return this.segment(
          '.',
          this.seq + this.pick([60000, 65535, 268800, 300000, 600000, 3000000]),
          this.pick([0, 1, this.mss]),
          this.una,
        );
      case 'read':
        return this.closed
          ? undefined
          : `+${this.time(0, 80)} read(${fd}, ..., ${this.pick([1, 100, this.mss, 5 * this.mss, 100000])}) = ?`;
      case 'close':
        if (this.closed) return undefined;
        this.closed = true;
        return `+${this.time(0, 100)} close(${fd}) = 0`;
      case 'shutdown':
        return this.closed
          ? undefined
          : `+${this.time(0, 100)} shutdown(${fd}, ${this.pick(['SHUT_RD', 'SHUT_WR', 'SHUT_WR', 'SHUT_RDWR'])}) = ?`;
      case 'fin':
        return this.fin();
      case 'reset':
        return this.segment(this.pick(['R.', 'R']), this.seq + this.pick([0, 0, 0, 1, -1, 1000, 300000]), 0, this.una);
      case 'odd':
        return this.odd();
      case 'synAgain':
        return this.una > 1 ? undefined : `+${this.time(0, 100)} ${this.syn(this.pick([this.early, 0]))}`;
      case 'handshake':
        return this.handshake();
      case 'accept':
        if (this.recording.calls.fd(4) !== undefined) return undefined;
        return `+${this.time(0, 20)} accept4(3, ..., ..., SOCK_NONBLOCK) = 4`;
    }
  }

  private write(bytes: number): string {
    return `+${this.time(0, 60)} write(${this.fd}, ..., ${bytes}) = ?`;
  }

  /** Edges of segments that are out, above what is acknowledged. */
  /** Where a segment of the kernel's ends; now and then somewhere within one. */
  private edge(): number | undefined {
    const edges = this.edges;
    if (edges.length < 2) return undefined;
    return edges[1 + this.random.below(edges.length - 1)];
  }

  /** From SND.UNA on. */
  private get edges(): number[] {
    const { edges, sentTo } = this.recording;
    if (!this.chance(0.1)) return [this.una, ...edges.filter(edge => edge > this.una)];
    const all: number[] = [];
    for (let at = this.una; at < sentTo; at += this.segmentSize) all.push(at);
    return [...all, sentTo];
  }

  private get scaleOption(): string {
    return this.scale < 0 ? '' : `,nop,wscale ${this.scale}`;
  }

  /** Of a SYN, which is not scaled. */
  private get synWindow(): number {
    return this.scale > 2 ? 32792 : this.window;
  }

  private get segmentSize(): number {
    return this.mss - (this.stamps ? 12 : 0);
  }

  private ack(): string | undefined {
    const edge = this.chance(0.3) ? this.recording.sentTo : this.edge();
    if (edge === undefined || edge <= this.una) return undefined;
    this.una = edge;
    return this.segment('.', this.seq, 0, edge);
  }

  private sack(): string | undefined {
    if (!this.sacks) return this.segment('.', this.seq, 0, this.una);
    const blocks: string[] = [];
    const edges = this.edges;
    const segments = edges.length - 1;
    if (segments < 2) return undefined;
    for (let count = this.pick([1, 1, 2, 3]); count > 0; count--) {
      const from = 1 + this.random.below(segments - 1);
      const [start, end] = [edges[from], edges[Math.min(segments, from + 1 + this.random.below(3))]];
      if (
        blocks.every(block => {
          const [a, b] = block.split(':').map(Number);
          return end < a || start > b;
        })
      )
        blocks.push(`${start}:${end}`);
    }
    return this.segment('.', this.seq, 0, this.una, `sack ${blocks.join(' ')}`);
  }

  private dsack(): string | undefined {
    if (!this.sacks || this.una < 2 * this.segmentSize) return undefined;
    return this.segment('.', this.seq, 0, this.una, `sack ${this.una - this.segmentSize}:${this.una}`);
  }

  private data(): string | undefined {
    if (this.finished) return undefined;
    const length = this.pick([this.mss, this.mss, 2 * this.mss, 100, 10, 1]);
    const line = this.segment(this.pick(['P.', '.']), this.seq, length, this.una);
    this.seq += length;
    return line;
  }

  private fin(): string | undefined {
    if (this.finished) return this.segment('F.', this.seq - 1, 0, this.una);
    const length = this.pick([0, 0, 0, 100]);
    const ack = this.chance(0.5) ? this.recording.sentTo : this.una;
    this.una = ack;
    const line = this.segment('F.', this.seq, length, ack);
    this.seq += length + 1;
    this.finished = true;
    return line;
  }

  /** What an honest end would not send. */
  private odd(): string {
    const ack = this.pick([
      this.una,
      this.una,
      this.recording.sentTo,
      this.recording.sentTo + 1,
      this.recording.sentTo + 100000,
    ]);
    const seq = this.seq + this.pick([0, 0, 1, -1, 1000, -1000, 268801]);
    const flags = this.pick(['S', 'S.', 'R.', 'R', 'P', 'F', '-', 'FP.', 'PU.', 'SF', '.']);
    return this.segment(flags, seq < 0 ? 0 : seq, flags === '.' || flags === 'P' ? this.pick([0, 10]) : 0, ack);
  }

  private option(): string | undefined {
    if (this.closed) return undefined;
    const { fd } = this;
    const [name, values] = this.pick<[string, number[]]>([
      ['TCP_NODELAY', [0, 1]],
      ['TCP_CORK', [0, 1]],
      ['TCP_QUICKACK', [0, 1]],
      ['TCP_NOTSENT_LOWAT', [1000, 20000]],
    ]);
    return `+${this.time(0, 30)} setsockopt(${fd}, SOL_TCP, ${name}, [${this.pick(values)}], 4) = 0`;
  }

  private segment(flags: string, seq: number, length: number, ack: number, extra = ''): string {
    const acknowledges = flags.includes('.') ? ` ack ${ack >>> 0}` : '';
    const from = seq >>> 0;
    return `+${this.time(0, 60)} < ${this.marks?.mark(flags, length) ?? flags} ${from}:${(from + length) >>> 0}(${length})${acknowledges} win ${this.window}${this.options(extra)}`;
  }

  private options(extra = ''): string {
    const options: string[] = [];
    if (this.stamps) {
      this.stampClock += 10;
      options.push(`nop,nop,TS val ${this.stampClock} ecr ${this.recording.lastStamp}`);
    }
    const counts = extra === '' ? (this.marks?.option(this.una - 1) ?? '') : `nop,nop,${extra}`;
    if (counts !== '') options.push(counts);
    return options.length === 0 ? '' : ` <${options.join(',')}>`;
  }

  /** Not near 40 ms: there a delayed acknowledgement is a matter of the kernel's ticks. */
  private time(least: number, most: number): string {
    const ms = least + this.random.below(most - least + 1);
    return ((ms > 33 && ms < 46 && least < 33 ? 33 : ms) / 1000).toFixed(3);
  }

  private pick<T>(of: readonly T[]): T {
    return of[this.random.below(of.length)];
  }

  private chance(share: number): boolean {
    return this.random.chance(share);
  }
}
