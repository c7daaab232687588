/**
 * Whose behaviour a host has. 'rfc' is the library's default: where an RFC leaves a choice, the modern one. 'linux' and
 * 'freebsd' are the values of those kernels' defaults, so that what was seen there happens here. A profile is data.
 */
import { minutes, ms, seconds } from '../../base/instant.ts';
import { bbr } from './congestion/bbr.ts';
import { cubic, cubicOfLinux } from './congestion/cubic.ts';
import { reno, renoOfLinux } from './congestion/reno.ts';
import type { TcpSettings } from './types.ts';

const NO_FAST_OPEN = { client: false, server: false, clientWithoutCookie: false, serverWithoutCookie: false };
const NO_LIMIT = Number.POSITIVE_INFINITY;

export const RFC_PROFILE: TcpSettings = {
  sendBuffer: 1 << 20,
  sendBufferMax: 0,
  receiveBuffer: 1 << 20,
  receiveBufferMax: 0,
  receiveBufferTuning: 'auto',
  recordOverhead: 0,
  windowRule: 'rfc',
  windowScale: undefined,
  windowClamp: NO_LIMIT,
  shrinksWindow: false,
  initialReceiveWindow: 0,
  notSentLowWater: NO_LIMIT,

  segmentRule: 'rfc9293',
  windowScaling: true,
  timestamps: true,
  requiresTimestamps: true,
  timestampOffsets: true,
  sack: true,
  duplicateSack: true,
  optionOrder: 'aligned',
  noOptions: false,
  ecn: 'passive',
  ecnFallback: true,
  accurateEcnOption: 'full',
  accurateEcnBeacons: 3,
  maxSegment: 0,
  fastOpen: NO_FAST_OPEN,

  noDelay: false,
  cork: false,
  nagle: 'rfc896',
  pushesBursts: false,
  pushesHalfWindows: false,
  fillsSmallWindow: true,
  deferDivisor: 0,
  minBurst: 2,
  slowStartAfterIdle: true,
  idleRestart: 'rfc5681',
  initialWindow: 10,
  congestionControl: cubic,
  maxPacingRate: NO_LIMIT,
  paced: false,
  pacingSlowStart: 2,
  pacingAvoidance: 1.2,
  tos: 0,
  ttl: 64,
  discoverMtu: true,
  mtuProbing: { mode: 'black-hole', base: 1024, threshold: 8, interval: minutes(10) },

  reordering: 3,
  maxReordering: 300,
  rack: true,
  tailLossProbe: true,
  probeSlack: ms(200),
  frto: true,
  minRttWindow: minutes(5),

  ackRule: 'fixed',
  delayedAck: ms(40),
  quickAck: false,
  maxCompressedAcks: 0,
  challengeInterval: 0,

  initialRto: seconds(1),
  minRto: seconds(1),
  maxRto: seconds(60),
  rtoRule: 'rfc6298',
  rtoSlop: 0,
  timerSlack: ms(4),
  msl: seconds(120),
  synRetries: 7,
  synAckRetries: 7,
  deferAccept: 0,
  asksLink: false,
  synLinearTimeouts: 0,
  thinLinearTimeouts: false,
  retries: 15,
  orphanRetries: undefined,
  retriesAreTime: false,
  probesWithData: true,
  minProbeInterval: 0,
  keepAlive: undefined,
  userTimeout: undefined,
  clampsToUserTimeout: false,
  resetsUnread: true,
  resetsOnTimeout: true,
  linger: undefined,
  finWait2: seconds(60),
  timeWait: undefined,
  protectsTimeWait: true,
};

/** Linux 6.x with the sysctls as they come. */
export const LINUX_PROFILE: TcpSettings = {
  ...RFC_PROFILE,
  sendBuffer: 87_040,
  sendBufferMax: 4 << 20,
  receiveBuffer: 131_072,
  receiveBufferMax: 6 << 20,
  recordOverhead: 832,
  windowRule: 'linux',
  windowClamp: 65535 * 2 ** 14,

  segmentRule: 'linux',
  requiresTimestamps: false,
  nagle: 'minshall',
  pushesBursts: true,
  pushesHalfWindows: true,
  fillsSmallWindow: false,
  deferDivisor: 3,
  idleRestart: 'rfc2861',
  congestionControl: cubicOfLinux,
  mtuProbing: { mode: 'off', base: 1024, threshold: 8, interval: minutes(10) },

  ackRule: 'adaptive',
  delayedAck: ms(40),
  maxCompressedAcks: 44,
  challengeInterval: ms(500),

  minRto: ms(200),
  maxRto: seconds(120),
  rtoRule: 'windowed',
  synRetries: 6,
  synAckRetries: 5,
  asksLink: true,
  synLinearTimeouts: 4,
  retries: 15,
  orphanRetries: 8,
  retriesAreTime: true,
  probesWithData: false,
  minProbeInterval: ms(200),
  clampsToUserTimeout: true,
  resetsOnTimeout: false,
  finWait2: seconds(60),
  timeWait: seconds(60),
  protectsTimeWait: false,
  fastOpen: { ...NO_FAST_OPEN, client: true },
};

/** FreeBSD 14. */
export const FREEBSD_PROFILE: TcpSettings = {
  ...RFC_PROFILE,
  sendBuffer: 32_768,
  sendBufferMax: 2 << 20,
  receiveBuffer: 65_536,
  receiveBufferMax: 2 << 20,
  windowRule: 'freebsd',

  optionOrder: 'bsd',
  ecn: 'passive',
  congestionControl: cubic,
  mtuProbing: { mode: 'off', base: 1200, threshold: 8, interval: minutes(10) },

  rack: false,
  tailLossProbe: false,
  frto: true,

  ackRule: 'fixed',
  delayedAck: ms(40),

  initialRto: seconds(1),
  minRto: ms(30),
  rtoSlop: ms(200),
  maxRto: seconds(64),
  msl: seconds(30),
  synRetries: 8,
  synLinearTimeouts: 4,
  synAckRetries: 3,
  retries: 12,
  keepAlive: { idle: seconds(7200), interval: seconds(75), count: 8 },
  resetsUnread: false,
  probesWithData: true,
  minProbeInterval: seconds(5),
  resetsOnTimeout: true,
  finWait2: seconds(60),
  protectsTimeWait: true,
};

/** By the names that the sysctl and the socket option know. */
export const CONGESTION_CONTROLS = {
  rfc: { cubic, reno, bbr },
  linux: { cubic: cubicOfLinux, reno: renoOfLinux, bbr },
  freebsd: { cubic, newreno: reno, bbr },
};

export const PROFILES = { rfc: RFC_PROFILE, linux: LINUX_PROFILE, freebsd: FREEBSD_PROFILE } as const;
export type ProfileName = keyof typeof PROFILES;
