/**
 * A cable between two ends, each with its own direction: a queue with tail drop, a bandwidth, a delay, and faults.
 *
 * The queue is not a list. Frames leave in order at a known rate, so when a frame will be on the wire, and how many
 * bytes wait before it, follow from the instant at which the last one is out. The one event is a frame's arrival.
 */
import { type Duration, type Instant, ms } from '../base/instant.ts';
import type { Random } from '../base/random.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { FrameFate, Trace } from '../trace/events.ts';
import { ethernet } from '../wire/ethernet.ts';
import { Packet } from '../wire/packet.ts';
import { cutFrame } from '../wire/tcp-segmentation.ts';
import { Arrivals } from './arrivals.ts';
import { ReceivingEnd } from './receiving-end.ts';
import type { Frame, Link, PacketSink, Unit } from './types.ts';

export interface CableOptions {
  /** One way. */
  delay: Duration;
  /** Bits per second; Infinity: no time to serialise and no queue. */
  bandwidth: number;
  /** Bytes that may wait behind the one that is being sent. */
  queue: number;
  /** Probabilities, 0 .. 1, for each frame. */
  loss: number;
  duplicate: number;
  /** A frame that is reordered arrives `reorderDelay` later than it would have. */
  reorder: number;
  reorderDelay: Duration;
  /** One random bit flipped: damage that no FCS saw, as in a router's memory. */
  corrupt: number;
  mtu: number;
  /** TCP segments of up to 64 KB cross it whole and unchecked, while it neither loses, queues nor delays anything. */
  offload: boolean;
}

export const PERFECT: CableOptions = {
  delay: 0,
  bandwidth: Number.POSITIVE_INFINITY,
  queue: 256 * 1024,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  reorderDelay: ms(5),
  corrupt: 0,
  mtu: 1500,
  offload: false,
};

/** Preamble, FCS and the gap between frames: a frame takes their time too (IEEE 802.3 clause 4.4.2). */
const FRAMING = 8 + 4 + 12;
const MINIMUM_FRAME = 60;

export class Cable {
  readonly name: string;
  readonly a: DirectionEnd;
  readonly b: DirectionEnd;
  readonly forward: Direction;
  readonly backward: Direction;

  constructor(
    name: string,
    options: Partial<CableOptions>,
    world: { scheduler: Scheduler; random: Random; trace?: Trace },
    ends: readonly [string, string] = ['a', 'b'],
  ) {
    this.name = name;
    const full = { ...PERFECT, ...options };
    this.forward = new Direction(name, ends[0], ends[1], full, world);
    this.backward = new Direction(name, ends[1], ends[0], full, world);
    this.a = new DirectionEnd(name, 'ethernet', full.mtu, this.forward);
    this.b = new DirectionEnd(name, 'ethernet', full.mtu, this.backward);
    this.forward.to(this.b);
    this.backward.to(this.a);
  }

  /** Both directions at once. */
  set(options: Partial<CableOptions>): void {
    this.forward.set(options);
    this.backward.set(options);
  }

  set plugged(plugged: boolean) {
    this.forward.plugged = plugged;
    this.backward.plugged = plugged;
  }
}

/** A link whose frames go one direction, and which is given those of another. */
export class DirectionEnd extends ReceivingEnd implements Link {
  readonly name: string;
  readonly medium: Link['medium'];
  readonly mtu: number;
  private readonly outgoing: Direction;

  constructor(name: string, medium: Link['medium'], mtu: number, outgoing: Direction) {
    super();
    this.name = name;
    this.medium = medium;
    this.mtu = mtu;
    this.outgoing = outgoing;
  }

  get offloads(): boolean {
    return this.outgoing.carriesWhole;
  }

  send(frame: Frame, unit?: Unit, given?: boolean): void {
    this.outgoing.send(frame, unit, given);
  }

  sendPacket(packet: Packet): void {
    this.outgoing.sendPacket(packet);
  }
}

/** One way through a cable. */
export class Direction {
  private current: Readonly<CableOptions>;
  plugged = true;
  /** Nothing but a delay. */
  private isPlain = false;
  /** Segments that are to be cut somewhere cross it as they are. */
  carriesWhole = false;
  private readonly others = new Map<FrameFate, number>();
  private delivered = 0;
  private readonly link: string;
  private readonly ends: readonly [from: string, to: string];
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private readonly trace: Trace | undefined;
  private readonly arrivals: Arrivals;
  /** Bytes of the link's own header, in front of IP's. */
  private readonly header: number;
  /** When the last frame accepted so far will have left. */
  private idleAt = 0;

  constructor(
    link: string,
    from: string,
    to: string,
    options: CableOptions,
    world: { scheduler: Scheduler; random: Random; trace?: Trace },
    medium: Link['medium'] = 'ethernet',
  ) {
    this.header = medium === 'ethernet' ? ethernet.size : 0;
    this.link = link;
    this.ends = [from, to];
    this.current = options;
    this.set(options);
    this.scheduler = world.scheduler;
    this.random = world.random.fork(`cable ${link} from ${from}`);
    this.trace = world.trace;
    this.arrivals = new Arrivals(world.scheduler);
  }

  /** What arrives is given to `sink`. */
  to(sink: PacketSink): void {
    this.arrivals.sink = sink;
  }

  /** Frames by what became of them. */
  get fates(): ReadonlyMap<FrameFate, number> {
    const delivered: [FrameFate, number][] = this.delivered > 0 ? [['delivered', this.delivered]] : [];
    return new Map([...delivered, ...this.others]);
  }

  get options(): Readonly<CableOptions> {
    return this.current;
  }

  /** At any time; frames already on their way are not affected. */
  set(options: Partial<CableOptions>): void {
    this.current = { ...this.current, ...options };
    const { loss, duplicate, reorder, corrupt, bandwidth, delay, offload } = this.current;
    this.isPlain = loss + duplicate + reorder + corrupt === 0 && bandwidth === Number.POSITIVE_INFINITY;
    this.carriesWhole = offload && delay === 0 && this.isPlain;
  }

  send(frame: Frame, unit: Unit = 0, given = false): void {
    this.sendPacket(Packet.over(frame, unit, !given));
  }

  sendPacket(packet: Packet): void {
    if (packet.unit === 0 || this.carriesWhole) this.sendOne(packet);
    else for (const piece of cutFrame(packet.view(), this.header, packet.unit)) this.sendOne(Packet.over(piece));
  }

  private sendOne(packet: Packet): void {
    if (this.trace === undefined) this.passCounted(packet);
    else this.sendTraced(packet, this.trace);
  }

  /** The trace keeps every frame as it was. */
  private sendTraced(packet: Packet, trace: Trace): void {
    packet.shared = true;
    const bytes = packet.view();
    const fate = this.passCounted(packet);
    const [from, to] = this.ends;
    trace({ kind: 'frame', time: this.scheduler.now(), link: this.link, host: from, to, bytes, fate });
  }

  private passCounted(packet: Packet): FrameFate {
    const fate = this.pass(packet);
    if (fate === 'delivered') this.delivered++;
    else this.others.set(fate, (this.others.get(fate) ?? 0) + 1);
    return fate;
  }

  private pass(packet: Packet): FrameFate {
    const { delay, mtu } = this.current;
    if (!this.plugged) return 'unplugged';
    if (packet.unit === 0 && packet.length > mtu + this.header) return 'too-long';
    const now = this.scheduler.now();
    if (!this.isPlain || this.idleAt > now) return this.queue(now, packet);
    this.arrivals.add(packet, now + delay);
    return 'delivered';
  }

  private queue(now: Instant, packet: Packet): FrameFate {
    const { options, random } = this;
    const waiting = Math.max(0, this.idleAt - now);
    if ((waiting * options.bandwidth) / 8e9 > options.queue) return 'queue-full';
    const bits = (Math.max(packet.length, MINIMUM_FRAME) + FRAMING) * 8;
    const left = now + waiting + Math.round((bits * 1e9) / options.bandwidth);
    this.idleAt = left;
    if (random.chance(options.loss)) return 'lost';
    const arrival = left + options.delay;
    if (random.chance(options.corrupt)) {
      this.arrivals.add(flipBit(packet, random), arrival);
      return 'corrupted';
    }
    if (random.chance(options.reorder)) {
      this.holdBack(packet, arrival + options.reorderDelay);
      return 'reordered';
    }
    if (!random.chance(options.duplicate)) {
      this.arrivals.add(packet, arrival);
      return 'delivered';
    }
    const second = packet.again();
    this.arrivals.add(packet, arrival);
    this.arrivals.add(second, arrival);
    return 'duplicated';
  }

  /** By itself: a closure in `queue` would have a context made for every frame. */
  private holdBack(packet: Packet, until: Instant): void {
    this.scheduler.at(until, () => this.arrivals.sink.deliver(packet));
  }
}

function flipBit(packet: Packet, random: Random): Packet {
  const bytes = packet.view().slice();
  const bit = random.below(bytes.length * 8);
  bytes[bit >> 3] ^= 1 << (bit & 7);
  return Packet.over(bytes, packet.unit, packet.shared);
}
