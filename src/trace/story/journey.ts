/** From the events of a run to the journey of one page. */
import type { Instant } from '../../base/instant.ts';
import type { ArpEvent, HttpEvent, TraceEvent } from '../events.ts';
import type { Recorder } from '../recorder.ts';
import { connectionStories } from './connections.ts';
import { nameStories } from './names.ts';
import type { ConnectionStory, Journey, NextHop, RequestStory, Summary } from './types.ts';

export interface JourneyOptions {
  client: string;
  hosts: number;
  endedAt: Instant;
  error?: { layer: string; message: string };
}

export function tellJourney(recorder: Recorder, options: JourneyOptions): Journey {
  const { events } = recorder;
  const { client } = options;
  const navigation = events.find(event => event.kind === 'browser' && event.action === 'navigate');
  const loaded = events.findLast(
    event => event.kind === 'browser' && (event.action === 'loaded' || event.action === 'failed'),
  );
  const dns = events.filter(event => event.kind === 'dns');
  const names = nameStories(dns, client);
  const connections = connectionStories(events, client);
  const http = events.filter(event => event.kind === 'http');
  const requests = requestStories(http, connections);
  const startedAt = navigation?.time ?? 0;
  const loadedAt = loaded?.time ?? options.endedAt;
  return {
    url: navigation?.kind === 'browser' ? navigation.url : '',
    client,
    hosts: options.hosts,
    startedAt,
    loadedAt,
    endedAt: options.endedAt,
    ...(options.error === undefined ? {} : { error: options.error }),
    names,
    nextHops: nextHops(
      events.filter(event => event.kind === 'arp'),
      client,
    ),
    connections,
    requests,
    summary: summarise(recorder, { client, requests, connections, names, loadedAt }),
  };
}

function nextHops(events: readonly ArpEvent[], client: string): NextHop[] {
  const hops: NextHop[] = [];
  for (const event of events.filter(e => e.host === client)) {
    const open = hops.find(hop => hop.address === event.address && hop.took === undefined);
    if (event.action === 'who-has') {
      if (open !== undefined) open.tries++;
      else hops.push({ host: client, address: event.address, askedAt: event.time, tries: 1 });
    } else if (event.action === 'learned' && open !== undefined) {
      open.mac = event.mac;
      open.took = event.time - open.askedAt;
    }
  }
  return hops;
}

/** While the story is put together. */
type TimedRequest = RequestStory & { sentAt?: Instant; answeredAt?: Instant };

function requestStories(events: readonly HttpEvent[], connections: readonly ConnectionStory[]): RequestStory[] {
  const stories = new Map<number, TimedRequest>();
  for (const event of events) {
    const story: TimedRequest = stories.get(event.request) ?? begin(event);
    stories.set(event.request, story);
    story.endedAt = event.time;
    const { ends } = event;
    if (ends !== undefined) {
      story.connection =
        connections.find(c => c.local === ends.local && c.remote === ends.remote)?.number ?? story.connection;
    }
    switch (event.action) {
      case 'reuse':
        story.reused = true;
        break;
      case 'request':
        story.line = event.line ?? '';
        story.headers = event.headers ?? [];
        story.sentAt = event.time;
        story.phases.waitForConnection = event.time - story.startedAt;
        break;
      case 'response':
        story.statusLine = event.line;
        story.responseHeaders = event.headers ?? [];
        story.answeredAt = event.time;
        story.phases.firstByte = event.time - (story.sentAt ?? story.startedAt);
        break;
      case 'done':
        story.bytes = event.bytes ?? 0;
        story.phases.body = event.time - (story.answeredAt ?? story.startedAt);
        break;
      case 'failed':
        story.error = event.error;
        break;
      default:
        break;
    }
  }
  return [...stories.values()].map(({ sentAt: _sent, answeredAt: _answered, ...story }) => story);
}

function begin(event: HttpEvent): RequestStory {
  return {
    number: event.request,
    url: event.url,
    startedAt: event.time,
    reused: false,
    line: '',
    headers: [],
    responseHeaders: [],
    phases: { waitForConnection: 0 },
    endedAt: event.time,
    bytes: 0,
  };
}

function summarise(
  recorder: Recorder,
  {
    client,
    requests,
    connections,
    names,
    loadedAt,
  }: {
    client: string;
    requests: readonly RequestStory[];
    connections: readonly ConnectionStory[];
    names: Journey['names'];
    loadedAt: Instant;
  },
): Summary {
  const totals = { frames: 0, bytes: 0, lost: 0, clientFrames: 0, clientBytes: 0 };
  for (const [link, count] of recorder.links) {
    totals.frames += count.frames;
    totals.bytes += count.bytes;
    totals.lost += count.lost;
    if (!link.startsWith(`${client}:`)) continue;
    totals.clientFrames += count.frames;
    totals.clientBytes += count.bytes;
  }
  const sent = recorder.events.filter((e: TraceEvent) => e.kind === 'segment' && e.direction === 'out');
  const first = requests[0];
  const connection = connections.find(c => c.number === first?.connection);
  const opened = connection?.establishedAt;
  return {
    phases: {
      name: names[0]?.took ?? 0,
      connect: connection !== undefined && opened !== undefined ? opened - connection.openedAt : 0,
      firstByte: first?.phases.firstByte ?? 0,
      body: first?.phases.body ?? 0,
      subresources: Math.max(0, loadedAt - (first?.endedAt ?? loadedAt)),
    },
    frames: totals.frames,
    bytes: totals.bytes,
    lostFrames: totals.lost,
    clientFrames: totals.clientFrames,
    clientBytes: totals.clientBytes,
    segments: sent.length,
    retransmissions: sent.filter(e => e.kind === 'segment' && e.retransmission).length,
    connections: connections.length,
    requests: requests.length,
    bodyBytes: requests.reduce((sum, request) => sum + request.bytes, 0),
  };
}
