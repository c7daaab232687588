/**
 * What a run tells: every event with its instant and the host that it happened on. Types only, importable from any
 * layer; who listens is up to the world (trace/recorder, or nobody: then an event costs one branch).
 */
import type { Instant } from '../base/instant.ts';
import type { Random } from '../base/random.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { SlabAllocator } from '../base/slab.ts';

/** What happened to a frame that entered a cable. */
export type FrameFate =
  | 'delivered'
  | 'lost'
  | 'queue-full'
  | 'corrupted'
  | 'duplicated'
  | 'reordered'
  | 'unplugged'
  | 'too-long';

export interface FrameEvent {
  kind: 'frame';
  time: Instant;
  /** The cable's name; `host` is the sender. */
  link: string;
  host: string;
  to: string;
  bytes: Uint8Array;
  fate: FrameFate;
}

/** A packet that a host did not take: counted by reason, never silent. */
export interface DropEvent {
  kind: 'drop';
  time: Instant;
  host: string;
  layer: 'link' | 'arp' | 'ipv4' | 'ipv6' | 'icmp' | 'udp' | 'tcp' | 'nat' | 'dns';
  reason: string;
}

export interface ArpEvent {
  kind: 'arp';
  time: Instant;
  host: string;
  action: 'who-has' | 'learned' | 'failed' | 'conflict' | 'announce' | 'rarp-request' | 'rarp-answer';
  address: string;
  mac?: string;
}

export interface IcmpEvent {
  kind: 'icmp';
  time: Instant;
  host: string;
  action: 'sent' | 'received';
  /** The other party. */
  peer: string;
  message: string;
  /** For an error: whom the datagram it is about was for. */
  about?: string;
}

/** The ends of a connection as the host sees them ('192.168.1.20:49152'). */
export interface Ends {
  local: string;
  remote: string;
}

export interface TcpSegmentEvent extends Ends {
  kind: 'segment';
  time: Instant;
  host: string;
  direction: 'in' | 'out';
  seq: number;
  ack: number;
  flags: number;
  /** Scaled. */
  window: number;
  length: number;
  retransmission: boolean;
  /** Options in packetdrill's notation: 'mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7'. */
  options: string;
  /** Before and after this segment was dealt with; the same for most. */
  before: string;
  after: string;
}

export interface TcpStateEvent extends Ends {
  kind: 'state';
  time: Instant;
  host: string;
  from: string;
  to: string;
  cause: string;
}

/** A decision inside TCP that needs a why: 'RTO', 'fast-retransmit', 'zero-window-probe', 'challenge-ack' ... */
export interface TcpDecisionEvent extends Ends {
  kind: 'decision';
  time: Instant;
  host: string;
  decision: string;
  why: string;
}

export interface DnsEvent {
  kind: 'dns';
  time: Instant;
  host: string;
  action: 'cache-hit' | 'cache-miss' | 'cache-off' | 'query' | 'answer' | 'referral' | 'retry' | 'truncated' | 'error';
  /** 'browser cache', 'host cache', 'hosts file', 'router cache', 'resolver cache'; for queries, who asks. */
  where: string;
  name: string;
  type: string;
  /** Name and address of the server asked, where there is one. */
  server?: string;
  detail?: string;
  /** Of a query and its answers: ties them together. */
  id?: number;
  /** Of queries that a recursive resolver sends: the zone that it asks in. */
  zone?: string;
}

export interface HttpEvent {
  kind: 'http';
  time: Instant;
  host: string;
  action: 'connect' | 'connected' | 'reuse' | 'request' | 'response' | 'done' | 'failed';
  /** Numbered by the client, one a request. */
  request: number;
  url: string;
  ends?: Ends;
  /** 'GET /' or '200 OK'. */
  line?: string;
  headers?: readonly (readonly [string, string])[];
  /** Bytes of the body so far. */
  bytes?: number;
  error?: string;
}

/** What the browser does above HTTP: a resource found in the page, a redirect followed, the page complete. */
export interface BrowserEvent {
  kind: 'browser';
  time: Instant;
  host: string;
  action: 'navigate' | 'found' | 'redirect' | 'loaded' | 'failed';
  url: string;
  detail?: string;
}

export type TraceEvent =
  | FrameEvent
  | DropEvent
  | ArpEvent
  | IcmpEvent
  | TcpSegmentEvent
  | TcpStateEvent
  | TcpDecisionEvent
  | DnsEvent
  | HttpEvent
  | BrowserEvent;

export type Trace = (event: TraceEvent) => void;

/** What every part of a host is given: its name, its time, its randomness, and where to tell what it does. */
export interface Context {
  readonly host: string;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly trace: Trace | undefined;
  /** Where its packets are made. */
  readonly slab: SlabAllocator;
  /** Counts a packet that was not taken, and traces it. */
  drop(layer: DropEvent['layer'], reason: string): void;
}
