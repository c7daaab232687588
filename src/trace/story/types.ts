/** The journey as data: what `netarium get` tells, and `--json` gives as it is. Times are virtual nanoseconds. */
import type { Duration, Instant } from '../../base/instant.ts';

export interface Journey {
  url: string;
  client: string;
  hosts: number;
  startedAt: Instant;
  loadedAt: Instant;
  /** The last connection's last state. */
  endedAt: Instant;
  error?: { layer: string; message: string };
  names: NameStory[];
  nextHops: NextHop[];
  connections: ConnectionStory[];
  requests: RequestStory[];
  summary: Summary;
}

export interface NameStory {
  name: string;
  type: string;
  askedAt: Instant;
  took: Duration;
  result: string;
  /** Caches and servers in the order in which they were asked. */
  steps: NameStep[];
}

export type NameStep =
  | { kind: 'cache'; host: string; cache: string; outcome: 'hit' | 'miss' | 'off'; detail?: string }
  | {
      kind: 'query';
      host: string;
      who: string;
      server: string;
      zone?: string;
      /** When it is another name than the one looked up: the address of a name server, the end of an alias. */
      name?: string;
      at: Instant;
      took?: Duration;
      outcome: string;
      overTcp: boolean;
    };

export interface NextHop {
  host: string;
  address: string;
  mac?: string;
  askedAt: Instant;
  took?: Duration;
  tries: number;
}

export interface ConnectionStory {
  number: number;
  client: string;
  server: string;
  local: string;
  remote: string;
  /** As the server sees it: another address and port behind a NAT. */
  seenAs?: string;
  openedAt: Instant;
  establishedAt?: Instant;
  closedAt?: Instant;
  /** Initial sequence numbers. */
  clientIsn: number;
  serverIsn?: number;
  rows: LadderRow[];
  retransmissions: number;
  states: { client: string[]; server: string[] };
  requests: number[];
}

/** One segment: from whom, when it left and arrived, and both ends' states then. */
export interface LadderRow {
  from: 'client' | 'server';
  sentAt: Instant;
  /** Undefined: it was lost. */
  arrivedAt?: Instant;
  flags: number;
  seq: number;
  ack: number;
  window: number;
  length: number;
  options: string;
  retransmission: boolean;
  /** The sender's state when it was sent, the receiver's once it had dealt with it; empty where nobody tells. */
  senderState: string;
  receiverState?: string;
}

export interface RequestStory {
  number: number;
  url: string;
  startedAt: Instant;
  connection?: number;
  reused: boolean;
  line: string;
  headers: readonly (readonly [string, string])[];
  statusLine?: string;
  responseHeaders: readonly (readonly [string, string])[];
  /** For a connection (names included), for the first byte, for the rest. */
  phases: { waitForConnection: Duration; firstByte?: Duration; body?: Duration };
  endedAt: Instant;
  bytes: number;
  error?: string;
}

export interface Summary {
  /** Of the page itself. */
  phases: { name: Duration; connect: Duration; firstByte: Duration; body: Duration; subresources: Duration };
  frames: number;
  bytes: number;
  lostFrames: number;
  /** At the client's own interface. */
  clientFrames: number;
  clientBytes: number;
  segments: number;
  retransmissions: number;
  connections: number;
  requests: number;
  bodyBytes: number;
}
