/** What TCP is made with, and what it tells. */
import type { Duration, Instant } from '../../base/instant.ts';
import { ms, seconds } from '../../base/instant.ts';
import type { State } from './state.ts';

/** A plug-in of a page or two. All figures in bytes. It never calls back into the sender. */
export interface CongestionControl {
  readonly name: string;
  readonly cwnd: number;
  readonly ssthresh: number;
  /** New data was acknowledged outside of fast recovery. */
  onAck(ack: Acknowledged): void;
  /** Loss was inferred from duplicate ACKs or SACKs: fast recovery begins. */
  onCongestion(now: Instant, inFlight: number): void;
  /** Fast recovery is over. */
  onRecovered(): void;
  /** The retransmission timer expired; `again` when it had done so before for the same data. */
  onRto(now: Instant, inFlight: number, again: boolean): void;
  /** Nothing was sent for longer than an RTO. */
  onIdle(): void;
  /** The maximum segment size became known or changed. */
  setMss(mss: number): void;
}

export interface Acknowledged {
  now: Instant;
  bytes: number;
  /** Before this acknowledgement. */
  inFlight: number;
  /** The window, not the application, limited the sender: only then may it grow (RFC 7661 §1). */
  cwndLimited: boolean;
}

export interface KeepAlive {
  idle: Duration;
  interval: Duration;
  count: number;
}

/** Settings of one connection; a listener hands its own to those that it accepts. */
export interface TcpSettings {
  sendBuffer: number;
  receiveBuffer: number;
  windowScaling: boolean;
  timestamps: boolean;
  sack: boolean;
  /** True switches Nagle's algorithm off. */
  noDelay: boolean;
  /** RFC 9293 §3.8.6.3: "MUST be less than 0.5 seconds". */
  delayedAck: Duration;
  /** RFC 6298 §2.1. */
  initialRto: Duration;
  /** RFC 6298 §2.4. */
  minRto: Duration;
  /** RFC 6298 §2.5: at least 60 seconds. */
  maxRto: Duration;
  /** RFC 9293 §3.4.2: 2 minutes. */
  msl: Duration;
  /** RFC 9293 §3.8.3: R2 for a SYN is at least 3 minutes; seven doublings of 1 s, kept under maxRto, make 183 s. */
  synRetries: number;
  /** R2 for data: at least 100 seconds. */
  retries: number;
  keepAlive: KeepAlive | undefined;
  /** The most time that data may stay unacknowledged (RFC 9293 §3.9.1.1, RFC 5482). */
  userTimeout: Duration | undefined;
  /**
   * SO_LINGER (POSIX): how long a full close may take to have everything acknowledged before it becomes a RST; 0 makes
   * it one at once. Undefined: as long as it takes.
   */
  linger: Duration | undefined;
  /** How long FIN_WAIT_2 lasts when nobody will read any more. */
  finWait2: Duration;
  /** Segments; RFC 6928. */
  initialWindow: number;
  congestionControl: (mss: number, initialWindow: number) => CongestionControl;
}

export const TCP_DEFAULTS: Omit<TcpSettings, 'congestionControl'> = {
  sendBuffer: 1 << 20,
  receiveBuffer: 1 << 20,
  windowScaling: true,
  timestamps: true,
  sack: true,
  noDelay: false,
  delayedAck: ms(40),
  initialRto: seconds(1),
  minRto: seconds(1),
  maxRto: seconds(60),
  msl: seconds(120),
  synRetries: 7,
  retries: 15,
  keepAlive: undefined,
  userTimeout: undefined,
  linger: undefined,
  finWait2: seconds(60),
  initialWindow: 10,
};

/** Why a connection ended other than by two FINs, in the names that Node and POSIX give. */
export type TcpErrorCode =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'ETIMEDOUT'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'ECONNABORTED';

export type TcpEvent =
  | { type: 'established' }
  /** read() has something. */
  | { type: 'readable' }
  /** The other end has sent its FIN and everything before it was read. */
  | { type: 'end' }
  /** The send buffer has room again after a write that was not taken whole. */
  | { type: 'writable' }
  | { type: 'error'; code: TcpErrorCode; why: string }
  /** CLOSED, or TIME_WAIT: nothing more will happen that concerns a user. */
  | { type: 'closed' };

/** Told of changes of state and of decisions that need a why. */
export interface TcpObserver {
  stateChanged(from: State, to: State, cause: string): void;
  decided(decision: string, why: string): void;
}
