/** What TCP is made with, and what it tells. */
import type { Duration } from '../../base/instant.ts';
import type { Seq } from '../../base/seq32.ts';
import type { ChallengeRate } from './challenge-limit.ts';
import type { CongestionControl } from './congestion/types.ts';
import type { RtoRule } from './rtt.ts';
import type { State } from './state.ts';

export interface KeepAlive {
  idle: Duration;
  interval: Duration;
  count: number;
}

/**
 * RFC 3168's negotiation, only when the other end asks ('passive') or by ourselves too ('on'); the more accurate one of
 * RFC 9768 likewise, where a host may accept AccECN and ask for RFC 3168's ('accurate-on').
 */
export type EcnMode = 'off' | 'passive' | 'on' | 'accurate-passive' | 'accurate-on' | 'accurate';

/** In which order and padding options are written (see wire/tcp-options.ts). */
export type OptionOrder = 'aligned' | 'bsd';

/**
 * Settings of one connection; a listener hands its own to those that it accepts. What stacks do differently is here,
 * so that a profile (profiles.ts) is nothing but values.
 */
export interface TcpSettings {
  // --- buffers and windows, bytes
  sendBuffer: number;
  /** Up to which the send buffer grows with the window; not above `sendBuffer`: it does not. */
  sendBufferMax: number;
  receiveBuffer: number;
  receiveBufferMax: number;
  /** Does the receive buffer follow what the user reads? 'fixed': the user has set it, and the window scale goes by it. */
  receiveBufferTuning: 'auto' | 'off' | 'fixed';
  /** What a record of the send queue costs beside its bytes. */
  recordOverhead: number;
  windowRule: 'rfc' | 'linux' | 'freebsd';
  /** Whose answers socket calls give, where POSIX leaves a choice or a kernel does not care for it. */
  socketRule: 'linux' | 'bsd';
  /** The shift to offer; undefined: as the buffers need it. */
  windowScale: number | undefined;
  windowClamp: number;
  /** The window that is meant is more than its field can say: what it cannot say exactly is rounded up (Linux). */
  meansMoreThanTold: boolean;
  /** What was promised may be taken back when memory runs out (RFC 9293 §3.8.6: "shrinking", strongly discouraged). */
  shrinksWindow: boolean;
  /** Segments; 0: the whole buffer. */
  initialReceiveWindow: number;
  /** Bytes not yet sent from which on the writer is told to wait (TCP_NOTSENT_LOWAT). */
  notSentLowWater: number;

  // --- what segments and errors that arrive are taken for
  /** What nobody listens for is answered by a RST; a SYN is not, or nothing is (BSD's "blackhole"). */
  answersUnclaimed: 'all' | 'all-but-syn' | 'none';
  /** Nobody who means well opens and closes at once: a segment with SYN and FIN is dropped, by a listener or always. */
  dropsSynFin: 'never' | 'listening' | 'always';
  /**
   * Which ICMP errors end a handshake: RFC 1122's hard ones (§4.2.3.9), or all; BSD: what refuses or prohibits, and a
   * time to live that was exceeded; or none.
   */
  handshakeErrors: 'hard' | 'all' | 'bsd' | 'none';
  /** SYNs that were repeated before a second error of another kind ends a handshake all the same (BSD). */
  softErrorPatience: number;
  /** BSD: as before RFC 5961, a RST, or a SYN, anywhere in the window ends the connection. */
  believesResets: boolean;
  believesSyns: boolean;
  /** RFC 5961 §5.2: an ACK from too long ago is answered by a challenge, and what it comes with not taken. */
  doubtsOldAcks: boolean;
  /**
   * RFC 9293 §3.10.7 to the letter, with the leniency of Linux towards segments that came late, or as BSD, which trims
   * segments to the window (bsd-arrives.ts).
   */
  segmentRule: 'rfc9293' | 'linux' | 'bsd';
  /** Data that begins within the window and ends beyond it is taken whole: never, while it is open, or (already trimmed) always. */
  takesOverhang: 'never' | 'while-open' | 'always';
  /** Data and a FIN behind a SYN+ACK's SYN are taken; Linux waits for them to come again. */
  takesBehindSyn: boolean;
  /** What brings something new besides what had come is in order, and not acknowledged at once for it (Linux). */
  partlyNewIsInOrder: boolean;
  /** D-SACK tells of the latest data alone (Linux). */
  reportsLatestDuplicate: boolean;
  /** What claims to lie behind a FIN is forgotten when that comes; Linux: not while we are closing ourselves. */
  forgetsBehindFin: 'always' | 'established';
  /** Small data that was expected, and acknowledges nothing new, is no occasion to send (Linux's header prediction). */
  expectedOpensNothing: boolean;
  /** A connection that is half open is but a request: errors, and a listener that closes, end it without a word (Linux). */
  forgetsRequests: boolean;
  /** A connection in TIME_WAIT, or in FIN_WAIT_2 without a user, is but a remainder that knows what it sent last (Linux). */
  keepsRemains: boolean;
  /** A newer SYN takes over a connection in TIME_WAIT even where nobody listens any more (BSD). */
  reopensUnlistened: boolean;
  /** After a bad ACK in SYN_SENT the SYN is sent again at once: the other end's state may be gone now (Linux). */
  retriesSynAtOnce: boolean;
  /** In a simultaneous open what is offered, and how the window is scaled, goes by our SYN alone (Linux). */
  offersRegardless: boolean;

  // --- options
  windowScaling: boolean;
  timestamps: boolean;
  /** A segment without the timestamps that were agreed on is dropped (RFC 7323 §3.2; Linux takes it). */
  requiresTimestamps: boolean;
  /** Every connection's timestamps begin somewhere else (RFC 7323 §5.4). */
  timestampOffsets: boolean;
  sack: boolean;
  duplicateSack: boolean;
  optionOrder: OptionOrder;
  /** Not even a SYN has options (TCP_NOOPT). */
  noOptions: boolean;
  /** Repetitions of a SYN from which on it has no option but the MSS, others being perhaps what it is lost for (BSD). */
  plainSynAfter: number;
  ecn: EcnMode;
  /** What ECN is lost for, or changed by, is done without it (RFC 3168 §6.1.1.1, RFC 9768 §3.1.4, §3.2.2.3). */
  ecnFallback: boolean;
  /** SYNs that ask for RFC 3168's once more before that. */
  ecnRetries: number;
  /** AccECN's option: when it has something to tell, or always; 'persistent': even when it seems to be lost on the way. */
  accurateEcnOption: 'off' | 'minimal' | 'full' | 'persistent';
  /** How often in a round trip at least, where it has nothing to tell (RFC 9768 §3.2.3.3: three times); 0: never. */
  accurateEcnBeacons: number;
  /** New marks that are answered at once (n of RFC 9768 §3.2.2.5.1: it should be 2, and is at most 6). */
  accurateEcnMarks: number;
  /** AccECN's counters, and what became of the SYN, are doubted and believed where Linux does. */
  accurateEcnRule: 'rfc9768' | 'linux';
  /** With AccECN acknowledgements and retransmissions are ECN-capable too, since marks of them are counted (Linux). */
  marksAcknowledgements: boolean;
  /** TCP_MAXSEG: 0 is no limit of the user's. */
  maxSegment: number;
  /** The MSS of one who tells none, by the version of IP (RFC 9293 §3.7.1, MUST-15). */
  defaultMss: { ipv4: number; ipv6: number };
  /** What an MSS option tells at the least, whatever it says. */
  leastSegment: number;
  fastOpen: FastOpenSettings;
  /** What a Fast Open cookie is made of: both addresses, or the client's (BSD). */
  fastOpenCookie: 'pair' | 'client';
  /** What a SYN cookie has no room for is in the timestamp, or the cookie has room for it (BSD). */
  synCookie: 'with-timestamp' | 'bsd';

  // --- sending
  /** True switches Nagle's algorithm off. */
  noDelay: boolean;
  /** TCP_CORK: only full segments. */
  cork: boolean;
  /** 'bsd': what is sent from idle goes whole, its last segment too. */
  nagle: 'rfc896' | 'minshall' | 'bsd';
  /** Segments are cut from the stream whenever they are sent: again as full ones, and PSH is where it ends for now (BSD). */
  recuts: boolean;
  /** What is sent again while it is thought to be on its way counts twice ("retrans_out leaked", Linux). */
  countsResentAgain: boolean;
  /** What was SACKed and is not any more (RFC 2018 §8) may be found lost by its time again, before it is sent again. */
  timesReneged: boolean;
  /** RFC 9293 §3.6: "CLOSE also implies push function"; Linux leaves that to the writes. */
  pushesOnClose: boolean;
  /** The segments of a burst are cut from one (TSO, Linux): they have its options all, and a PSH at the end. */
  cutsBursts: boolean;
  /** A PSH whenever half of the largest window was written, not only at the end of a write. */
  pushesHalfWindows: boolean;
  /** RFC 9293 §3.8.6.2.1 (3): a partial segment fills a window that is at least half of the largest seen. */
  fillsSmallWindow: boolean;
  /** A segment takes half of the largest window seen at most, all of a tiny one (Linux). */
  halvesTinyWindows: boolean;
  /** The last data goes with its FIN or not at all (Linux). */
  sendsFinWithLast: boolean;
  /** A burst waits for more when less than this part of the window is open; 0: it never waits. */
  deferDivisor: number;
  /** Segments of a burst, at least. */
  minBurst: number;
  slowStartAfterIdle: boolean;
  /** RFC 5681 §4.1 takes the restart window at once, RFC 2861 halves with every RTO. */
  idleRestart: 'rfc5681' | 'rfc2861';
  /** Segments; RFC 6928: of those that are larger than usual fewer. Linux does not look at their size; older RFCs set it. */
  initialWindow: number;
  initialWindowRule: 'rfc6928' | 'segments' | 'rfc3390' | 'rfc5681';
  congestionControl: (settings: TcpSettings) => CongestionControl;
  /** NewReno: segments that one acknowledgement opens the window by in slow start (L of RFC 3465); 0: it counts those. */
  byteCounting: number;
  /** NewReno: an ECN echo reduces the window by less than a loss does (RFC 8511). */
  alternativeBackoff: boolean;
  /** RFC 3042: the first two duplicate ACKs let new data out. */
  limitedTransmit: boolean;
  /** BSD, to which it is enough that the other end's window is no smaller: a window twice what is in flight does not grow. */
  validatesGrowth: boolean;
  /** Bytes per second. */
  maxPacingRate: number;
  /** Segments leave at the pacing rate, not in bursts. */
  paced: boolean;
  pacingSlowStart: number;
  pacingAvoidance: number;
  tos: number;
  /** One who listens answers with the DSCP of the SYN (net.ipv4.tcp_reflect_tos). */
  reflectsTos: boolean;
  ttl: number;
  /** DF, and with it path MTU discovery (RFC 1191). */
  discoverMtu: boolean;
  mtuProbing: MtuProbing;

  // --- loss
  /** RFC 5681 and what has been built on it (recovery.ts), or as BSD has it (bsd-recovery.ts). */
  lossRecovery: 'rfc' | 'bsd';
  /** BSD: with SACK the window is reduced by RFC 6937; else it is one segment and grows again. */
  proportionalReduction: boolean;
  /** DupThresh to begin with, and the most it adapts to. */
  reordering: number;
  maxReordering: number;
  rack: boolean;
  /** RFC 6582 §3.2 step 3: a partial ACK lets the first segment out without SACK. Linux leaves that to PRR. */
  partialAckSends: boolean;
  /** A segment that was acknowledged in two parts counts as reordered (Linux). */
  partsAreReordering: boolean;
  /** Without RACK: what was sent after recovery had begun arrives before what was sent again, which is lost again (BSD). */
  findsLostAgain: boolean;
  /** A SYN that times out is a loss of the congestion control's (Linux). */
  synTimeoutIsLoss: boolean;
  /** A SYN+ACK that was sent again because the SYN came again is lost as one that timed out (Linux). */
  repeatedSynIsLoss: boolean;
  tailLossProbe: boolean;
  /** What a probe waits longer when one segment is out (RFC 8985 §7.2). */
  probeSlack: Duration;
  frto: boolean;
  minRttWindow: Duration;

  // --- acknowledging
  ackRule: 'fixed' | 'adaptive' | 'bsd';
  /** RFC 9293 §3.8.6.3: "MUST be less than 0.5 seconds". */
  delayedAck: Duration;
  /** Until it is acknowledged, a FIN goes along with every acknowledgement (BSD). */
  repeatsFin: boolean;
  /** Nothing is ever delayed. */
  quickAck: boolean;
  /** Duplicate ACKs that may be told in one; 0: each is sent. */
  maxCompressedAcks: number;
  /** RFC 5961 §7: how many challenge ACKs a connection sends in a time. */
  challengeRate: ChallengeRate;
  /** At most one in this time; 0: only the rate holds. */
  challengeInterval: Duration;

  // --- timers
  /** RFC 6298 §2.1. */
  initialRto: Duration;
  /** RFC 6298 §2.4. */
  minRto: Duration;
  /** RFC 6298 §2.5: at least 60 seconds. */
  maxRto: Duration;
  rtoRule: RtoRule;
  /** Added to every timeout that was measured. */
  rtoSlop: Duration;
  /** Timeouts in a row after which SRTT is forgotten, the path having perhaps changed (BSD); Infinity: never. */
  rttTrusted: number;
  /** What timers that are shorter than a round trip are late by on a real system (RFC 8985 §6.2 step 5, §7.2). */
  timerSlack: Duration;
  /** RFC 9293 §3.4.2: 2 minutes. */
  msl: Duration;
  /** RFC 9293 §3.8.3: R2 for a SYN is at least 3 minutes; seven doublings of 1 s, kept under maxRto, make 183 s. */
  synRetries: number;
  /** How long a connection may take to be established, whatever is left of `synRetries`; undefined: no matter. */
  connectTimeout: Duration | undefined;
  synAckRetries: number;
  /** TCP_DEFER_ACCEPT: an ACK without data completes no handshake until so many SYN+ACKs were repeated; 0: it does. */
  deferAccept: number;
  /** What our own link has no room for is not sent, and tried again soon; else it is lost as anywhere on the way. */
  asksLink: boolean;
  /** SYNs that are repeated without doubling the timeout. */
  synLinearTimeouts: number;
  /** Streams with little in flight repeat a segment several times before the timeout is doubled. */
  thinLinearTimeouts: boolean;
  /** R2 for data: at least 100 seconds. */
  retries: number;
  /** R2 when nobody waits for the data any more; undefined: the same. */
  orphanRetries: number | undefined;
  /** R2 is a time, that which so many retransmissions would take at the least RTO. */
  retriesAreTime: boolean;
  /** Window probes carry a byte of data (RFC 9293 §3.8.6.1), or are below the window. */
  probesWithData: boolean;
  /** RFC 9293 §3.8.6.1 says "similar" to retransmissions: the same timeout, or BSD's of its own. */
  probeRule: 'rto' | 'bsd';
  /** An open window ends the back-off of its probes; Linux: only one that has room for all that would be sent. */
  anyWindowEndsBackoff: boolean;
  minProbeInterval: Duration;
  maxProbeInterval: Duration;
  keepAlive: KeepAlive | undefined;
  /** The most time that data may stay unacknowledged (RFC 9293 §3.9.1.1, RFC 5482). */
  userTimeout: Duration | undefined;
  clampsToUserTimeout: boolean;
  /** Closing with unread data is a RST (RFC 2525 §2.17), or a FIN as ever. */
  resetsUnread: boolean;
  /** A RST of a connection tells its window as any segment does; else it is 0. */
  resetsTellWindow: boolean;
  /** SACK blocks go along with a challenge ACK; with a RST. */
  challengesTellSack: boolean;
  resetsTellSack: boolean;
  /** A connection that times out says so with a RST. */
  resetsOnTimeout: boolean;
  /**
   * SO_LINGER (POSIX): how long a full close may take to have everything acknowledged before it becomes a RST; 0 makes
   * it one at once. Undefined: as long as it takes.
   */
  linger: Duration | undefined;
  /** How long FIN_WAIT_2 lasts when nobody will read any more. */
  finWait2: Duration;
  /** TIME_WAIT lasts 2 MSL, or this. */
  timeWait: Duration | undefined;
  /** RFC 1337: a RST does not end TIME_WAIT. */
  protectsTimeWait: boolean;
  /** RFC 6191: a SYN in TIME_WAIT may be newer by its timestamp alone. */
  reopensByTimestamp: boolean;
}

export interface TcpConnectionOptions {
  settings: TcpSettings;
  iss: Seq;
  tsOffset?: number;
  /** The MSS option that we send: what our link takes without headers. */
  localMss: number;
  /** What the path is known to take. */
  pathMss?: number;
  observer?: TcpObserver;
  /** The driver cuts segments that are several in one (Segment.unit). */
  largeSegments?: boolean;
}

/** RFC 7413. */
export interface FastOpenSettings {
  client: boolean;
  server: boolean;
  /** Data in a SYN is sent and taken without a cookie. */
  clientWithoutCookie: boolean;
  serverWithoutCookie: boolean;
}

/** RFC 4821, RFC 8899: sizes are tried out by sending them. */
export interface MtuProbing {
  /** 'bsd': a size at a time after two timeouts each, and back if that does not help (black-hole.ts). */
  mode: 'off' | 'black-hole' | 'on' | 'bsd';
  /** MSS to begin with, where one does not begin with what the link takes and learn the rest from probes (Linux). */
  base: number;
  beginsWithLink: boolean;
  /** The search ends when it is as exact as this, bytes. */
  threshold: number;
  /** And begins again after this time. */
  interval: Duration;
}

/** Why a connection ended other than by two FINs, in the names that Node and POSIX give. */
export type TcpErrorCode =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'EPIPE'
  | 'ETIMEDOUT'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'ECONNABORTED';

export type TcpEvent =
  | { type: 'established' }
  /** The other end's FIN has come, behind data that may still wait to be read. */
  | { type: 'fin' }
  /** The other end's user wants this one to hurry to some point ahead (RFC 9293 §3.8.5, MUST-32). */
  | { type: 'urgent' }
  /** read() has something. */
  | { type: 'readable' }
  /** The other end has sent its FIN and everything before it was read. */
  | { type: 'end' }
  /** The send buffer has room again after a write that was not taken whole. */
  | { type: 'writable' }
  | { type: 'error'; code: TcpErrorCode; why: string }
  /** CLOSED, or TIME_WAIT: nothing more will happen that concerns a user. */
  | { type: 'closed' };

/** Told of changes of state and of decisions that need a why; and asked what only the driver knows. */
export interface TcpObserver {
  /** What is sent now would be dropped by our own link. */
  readonly isRefused?: boolean;
  /** `defaultMss` of the settings, for the other end's address. */
  readonly defaultMss?: number;
  stateChanged(from: State, to: State, cause: string): void;
  decided(decision: string, why: string): void;
  /** A segment, or its data, for a reason that is counted. */
  dropped(reason: string): void;
}
