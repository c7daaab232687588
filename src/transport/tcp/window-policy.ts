/** How much the other end may send (RFC 9293 §3.8.6): RCV.WND from the receive buffer, without silly windows. */
import type { Duration, Instant } from '../../base/instant.ts';

export interface BufferState {
  /** Bytes that wait for the user. */
  readonly readable: number;
  /** Memory that these and what is held out of order take, where the policy says what a segment costs. */
  readonly memory: number;
  /** RCV.WND as promised, now and when the last acknowledgement went out. */
  readonly offered: number;
  readonly lastOffered: number;
  /** The other end's full segment. */
  readonly fullSize: number;
  /** By which the window is told (Rcv.Wind.Shift of RFC 7323 §2.3). */
  readonly shift: number;
}

/** Of a segment with data; `unit` is not 0 where several came as one, each of them of that size (Segment.unit). */
export interface SegmentSize {
  readonly length: number;
  readonly unit: number;
}

export interface WindowPolicy {
  /** The window to offer, bytes; the caller never takes back what was promised. */
  offer(state: BufferState): number;
  /** The window of our SYN or SYN+ACK, bytes (its field is never scaled). */
  initial(): number;
  /** The receive buffer, bytes. */
  readonly capacity: number;
  setCapacity(bytes: number): void;
  /** TCP_WINDOW_CLAMP: no window is larger. `lastOffered` as below. */
  setMost(bytes: number, lastOffered: number): void;
  /** Segments of the other end hold so much. */
  setMss(mss: number): void;
  /** Less than half of the buffer was free when a window was last reckoned. */
  readonly isScarce: boolean;
  /** Full segments of the other end are larger than thought; `lastOffered` is the window that it knows. */
  measured(size: SegmentSize, lastOffered: number): void;
  /** Data was received; `memory`: what there was before, or with it. True: the window may be larger. Absent: never for that. */
  grew?(memory: number, fullSize: number, size: SegmentSize): boolean;
  /** So much was received in order, or acknowledged with a timestamp: BSD's measure of how fast data comes. */
  received?(now: Instant, bytes: number, rtt: Duration | undefined): void;
  acknowledged?(now: Instant): void;
  /** What is held before its turn reaches so far beyond RCV.NXT: the buffer has to hold what fills the gap as well. */
  held?(reach: number, rtt: Duration | undefined): void;
  /** What a segment takes of memory. Absent: nothing but its bytes counts. */
  cost?(size: SegmentSize): number;
  /** What so many bytes take that lie one behind the other. */
  condensed?(length: number): number;
  /** What such a buffer has room for behind its own `length` bytes: what follows is copied there and takes nothing more. */
  spare?(length: number, cost: number): number;
  /** Is there memory for more? A buffer that the user has not set grows to what is in it. Absent: only bytes count. */
  ingests?(memory: number): boolean;
  /** Somebody has the connection and may read; nobody has while it waits to be accepted. Absent: no matter. */
  setUser?(has: boolean): void;
  /** The user has read `bytes`: the buffer follows what he reads in a round trip. */
  read(now: Instant, bytes: number, rtt: Duration | undefined, unread: number): void;
  established(mss: number, scale: number): void;
  /** The largest window that it would ever offer now. */
  readonly limit: number;
  /** Up to where the window may grow now; what the user is thought to read in a round trip. */
  readonly threshold: number;
  readonly roundSpace: number;
}
