/** Linux's window: what is limited is memory, and what segments take of it shows how much of it may be offered. */
import { powerOfTwoFrom } from '../../base/bits.ts';
import type { Duration, Instant } from '../../base/instant.ts';
import type { TcpSettings } from './types.ts';
import type { BufferState, SegmentSize, WindowPolicy } from './window-policy.ts';

/** The share of memory that is data, before a segment has shown it. */
export const RATIO = 1 / 2;
/** What a segment takes of memory: its buffer is a power of two, small ones are all alike, and there is what describes it. */
const HEADERS = 424;
/** Bytes of data that the smallest of Linux's buffers holds, behind its headers. */
export const SMALL_SEGMENT = 152;
const SMALL_COST = 832;
/** What was coalesced lies in a buffer of one page, as far as it fits behind its headers, and in whole pages beyond. */
const PAGE = 4096;
const SHARED_INFO = 320;
const FIRST_PAGE = PAGE - HEADERS;
const bufferFor = (length: number): number => powerOfTwoFrom(Math.max(length + HEADERS, 1024));
const isCoalesced = ({ length, unit }: SegmentSize): boolean => unit > 0 && length > unit;
function costOf(size: SegmentSize): number {
  const { length } = size;
  if (isCoalesced(size) && length > FIRST_PAGE) return PAGE + 256 + Math.ceil((length - FIRST_PAGE) / PAGE) * PAGE;
  return length <= SMALL_SEGMENT ? SMALL_COST : bufferFor(length) + 256;
}

/** What of its buffer is left for data that follows; nothing of pages. */
function spareOf(length: number, cost: number): number {
  if (cost === SMALL_COST) return SMALL_SEGMENT - length;
  const buffer = bufferFor(length);
  return cost === buffer + 256 ? buffer - HEADERS - length : 0;
}

const INITIAL_SEGMENTS = 10;
/** Below it the buffer grows in proportion: where a round trip is nothing, twice the window is plenty (Linux). */
const LOW_RTT: Duration = 1e6;

/** Linux: memory is what is limited, and the window opens as the segments show how well they use it. */
export class MemoryWindow implements WindowPolicy {
  capacity: number;
  private readonly settings: TcpSettings;
  isScarce = false;
  private mss: number;
  private ratio = RATIO;
  private clamp: number;
  threshold: number;
  private roundStart: Instant = 0;
  roundSpace = 0;
  private roundBytes = 0;
  private fixed: boolean;
  private hasUser = true;
  /** By the user, since the connection began. */
  private isSet = false;

  constructor(settings: TcpSettings, mss: number) {
    this.settings = settings;
    this.mss = mss;
    this.capacity = settings.receiveBuffer;
    this.fixed = settings.receiveBufferTuning !== 'auto';
    this.clamp = settings.windowClamp;
    this.threshold = this.initial();
  }

  setCapacity(bytes: number): void {
    this.capacity = bytes;
    this.fixed = true;
    this.isSet = true;
    this.clamp = Math.min(this.settings.windowClamp, this.space(bytes));
  }

  setMost(bytes: number, lastOffered: number): void {
    this.setClamp(bytes, lastOffered);
  }

  private space(bytes: number): number {
    return Math.max(0, Math.floor(bytes * this.ratio));
  }

  initial(): number {
    const space = Math.min(this.clamp, this.space(this.capacity));
    const whole = space > this.mss ? Math.floor(space / this.mss) * this.mss : space;
    const { initialReceiveWindow } = this.settings;
    return initialReceiveWindow > 0 ? Math.min(whole, initialReceiveWindow * this.mss) : whole;
  }

  get limit(): number {
    return this.clamp;
  }

  setMss(mss: number): void {
    this.mss = mss;
  }

  established(mss: number, scale: number): void {
    this.mss = mss;
    const full = this.space(this.capacity);
    const initial = this.initial();
    // One segment is held in reserve.
    this.clamp = Math.min(this.clamp, Math.max(2 * this.mss, full - this.mss), 65535 << scale);
    this.threshold = Math.min(initial, this.clamp);
    this.roundSpace = Math.min(this.threshold, INITIAL_SEGMENTS * this.mss);
  }

  /** How much of its memory such a segment fills is how much of the buffer may be offered. */
  measured(size: SegmentSize, lastOffered: number): void {
    const before = this.ratio;
    this.ratio = Math.max(1, Math.floor((size.length * 256) / costOf(size))) / 256;
    if (this.ratio === before) return;
    this.setClamp(this.space(this.capacity), lastOffered);
    this.roundSpace = Math.min(this.roundSpace, this.clamp);
  }

  /** What was promised is kept to, as far as there is room for it. */
  private setClamp(clamp: number, lastOffered: number): void {
    if (clamp < this.clamp) this.threshold = Math.min(this.threshold, clamp);
    else if (clamp > this.clamp) this.threshold = Math.max(this.threshold, Math.min(lastOffered, clamp));
    this.clamp = clamp;
  }

  cost(size: SegmentSize): number {
    return costOf(size);
  }

  condensed(length: number): number {
    const page = PAGE - SHARED_INFO;
    const rest = length % page;
    const last = rest === 0 ? 0 : Math.max(SMALL_COST, powerOfTwoFrom(rest + SHARED_INFO) + 256);
    return Math.floor(length / page) * (PAGE + 256) + last;
  }

  spare(length: number, cost: number): number {
    return spareOf(length, cost);
  }

  private free(memory: number): number {
    return this.space(this.capacity - memory);
  }

  offer(state: BufferState): number {
    const allowed = this.space(this.capacity);
    const full = Math.min(this.clamp, allowed);
    const mss = Math.min(state.fullSize, full);
    if (mss <= 0) return 0;
    let free = this.free(state.memory);
    const unit = 1 << state.shift;
    if (this.settings.shrinksWindow && state.shift > 0) return this.offerWhatIsFree(free, full, mss, unit);
    this.isScarce = free < full >> 1;
    if (this.isScarce) {
      free = Math.floor(free / unit) * unit;
      if (free < allowed >> 4 || free < mss) return 0;
    }
    free = Math.min(free, this.threshold);
    if (state.shift > 0) return Math.ceil(free / unit) * unit;
    const offered = state.lastOffered;
    if (offered <= free - mss || offered > free) return Math.floor(free / mss) * mss;
    return mss === full && free > offered + (full >> 1) ? free : offered;
  }

  /** What was promised does not bind: whole units of what is free now. */
  private offerWhatIsFree(free: number, full: number, mss: number, unit: number): number {
    const whole = Math.floor(free / unit) * unit;
    this.isScarce = whole < full >> 1;
    if (this.isScarce && (whole < this.space(this.capacity) >> 4 || whole < mss || whole < unit)) return 0;
    return whole > this.threshold ? Math.ceil(this.threshold / unit) * unit : whole;
  }

  grew(memory: number, fullSize: number, size: SegmentSize): boolean {
    const room = Math.min(this.clamp, this.free(memory)) - this.threshold;
    if (room <= 0) return false;
    const { length } = size;
    const cost = this.space(costOf(size));
    const by = cost <= length ? 2 * this.mss : this.slowly(cost, length, fullSize);
    if (by > 0) this.threshold += Math.min(room, Math.max(by, 2 * length));
    return by > 0;
  }

  /** Small segments waste memory: the window grows only as long as it is small. */
  private slowly(cost: number, length: number, fullSize: number): number {
    let needed = cost >> 1;
    let window = this.space(Math.max(this.settings.receiveBufferMax, this.capacity)) >> 1;
    while (this.threshold <= window) {
      if (needed <= length) return 2 * fullSize;
      needed >>= 1;
      window >>= 1;
    }
    return 0;
  }

  /** Dynamic right-sizing: the buffer follows what the user reads in a round trip. */
  read(now: Instant, bytes: number, rtt: Duration | undefined, unread: number): void {
    this.roundBytes += bytes;
    if (rtt === undefined || now - this.roundStart < rtt) return;
    const copied = this.roundBytes - unread;
    if (copied > this.roundSpace) this.growBuffer(copied, 0, rtt);
    this.roundStart = now;
    this.roundBytes = 0;
  }

  ingests(memory: number): boolean {
    const { receiveBufferMax, receiveBufferTuning } = this.settings;
    if (memory <= this.capacity) return true;
    const isSet = receiveBufferTuning === 'fixed' || this.isSet;
    if (!isSet && this.capacity < receiveBufferMax) this.capacity = Math.min(memory, receiveBufferMax);
    if (memory <= this.capacity) return true;
    this.threshold = Math.min(this.clamp, 2 * this.mss);
    return false;
  }

  setUser(has: boolean): void {
    this.hasUser = has;
  }

  held(reach: number, rtt: Duration | undefined): void {
    if (this.hasUser) this.growBuffer(this.roundSpace, reach, rtt ?? 0);
  }

  /** Twice what is read in a round trip, more while that grows, and room for what waits for a gap to be filled. */
  private growBuffer(read: number, reach: number, rtt: Duration): void {
    const before = this.roundSpace;
    this.roundSpace = read;
    if (this.fixed) return;
    const base = 2 * read;
    const faster = before > 0 ? (2 * base * (read - before)) / before : 0;
    const window = base + (rtt < LOW_RTT ? (base * rtt) / LOW_RTT : faster) + reach;
    const buffer = Math.min(Math.floor(window / this.ratio), this.settings.receiveBufferMax);
    if (buffer <= this.capacity) return;
    this.capacity = buffer;
    this.clamp = this.space(buffer);
  }
}
