/** From both ends' segment events to the ladder of each of the client's connections. */
import { ACK, SYN } from '../../wire/tcp.ts';
import type { HttpEvent, TcpSegmentEvent, TcpStateEvent, TraceEvent } from '../events.ts';
import type { ConnectionStory, LadderRow } from './types.ts';

/** Connections that `client` opened, in the order of their SYNs. */
export function connectionStories(events: readonly TraceEvent[], client: string): ConnectionStory[] {
  const segments = events.filter(event => event.kind === 'segment');
  const states = events.filter(event => event.kind === 'state');
  const requests = events.filter(event => event.kind === 'http' && event.action === 'request') as HttpEvent[];
  const byEnds = groupByEnds(segments);
  const opened = segments.filter(s => s.host === client && s.direction === 'out' && isBareSyn(s) && !s.retransmission);
  return opened.map((syn, index) => story(syn, index + 1, byEnds, segments, states, requests));
}

const isBareSyn = (s: TcpSegmentEvent): boolean => (s.flags & (SYN | ACK)) === SYN;
const endsKey = (s: { host: string; local: string; remote: string }): string => `${s.host} ${s.local} ${s.remote}`;

function groupByEnds(segments: readonly TcpSegmentEvent[]): Map<string, TcpSegmentEvent[]> {
  const groups = new Map<string, TcpSegmentEvent[]>();
  for (const segment of segments) {
    const key = endsKey(segment);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [segment]);
    else group.push(segment);
  }
  return groups;
}

function story(
  syn: TcpSegmentEvent,
  number: number,
  byEnds: ReadonlyMap<string, TcpSegmentEvent[]>,
  segments: readonly TcpSegmentEvent[],
  states: readonly TcpStateEvent[],
  requests: readonly HttpEvent[],
): ConnectionStory {
  // The same two ports may carry a later connection.
  const all = byEnds.get(endsKey(syn)) ?? [];
  const next = all.find(s => s.time > syn.time && s.direction === 'out' && isBareSyn(s) && s.seq !== syn.seq);
  const until = next?.time ?? Number.POSITIVE_INFINITY;
  const isOfThis = (event: { time: number }): boolean => event.time >= syn.time && event.time < until;
  const mine = all.filter(isOfThis);
  // The other end is found by the SYN's sequence number, which a NAT leaves alone.
  const arrived = segments.find(s => s.direction === 'in' && isBareSyn(s) && s.seq === syn.seq && s.host !== syn.host);
  const theirs = arrived === undefined ? [] : (byEnds.get(endsKey(arrived)) ?? []).filter(isOfThis);
  const bothSeen = [...pair('client', mine, theirs), ...pair('server', theirs, mine)];
  // A real host at the other end tells nothing: what we know is what came.
  const isSilent = theirs.length === 0 && mine.some(s => s.direction === 'in');
  const rows = (isSilent ? mine.map(oneSided) : bothSeen).sort((a, b) => a.sentAt - b.sentAt);
  const answer = mine.find(s => s.direction === 'in' && s.flags & SYN);
  const path = (key: string): TcpStateEvent[] => states.filter(state => endsKey(state) === key && isOfThis(state));
  const clientStates = path(endsKey(syn));
  const serverStates = arrived === undefined ? [] : path(endsKey(arrived));
  return {
    number,
    client: syn.host,
    server: arrived?.host ?? syn.remote,
    local: syn.local,
    remote: syn.remote,
    ...(arrived !== undefined && arrived.remote !== syn.local ? { seenAs: arrived.remote } : {}),
    openedAt: syn.time,
    establishedAt: clientStates.find(state => state.to === 'ESTABLISHED')?.time,
    closedAt: clientStates.find(state => state.to === 'CLOSED')?.time,
    clientIsn: syn.seq,
    serverIsn: answer?.seq,
    rows,
    retransmissions: rows.filter(row => row.retransmission).length,
    states: { client: ['CLOSED', ...clientStates.map(s => s.to)], server: ['CLOSED', ...serverStates.map(s => s.to)] },
    requests: requests.filter(r => r.ends?.local === syn.local && r.ends.remote === syn.remote).map(r => r.request),
  };
}

/** A row of which only the client's end is known. What was sent is taken to have arrived. */
function oneSided(s: TcpSegmentEvent): LadderRow {
  const { flags, seq, ack, window, length, options, retransmission } = s;
  const segment = { flags, seq, ack, window, length, options, retransmission, sentAt: s.time, arrivedAt: s.time };
  return s.direction === 'out'
    ? { from: 'client', ...segment, senderState: s.after }
    : { from: 'server', ...segment, senderState: '', receiverState: s.after };
}

/** Joins what one end sent with what the other received: the first arrival of the same segment that is not taken yet. */
function pair(
  from: 'client' | 'server',
  sender: readonly TcpSegmentEvent[],
  receiver: readonly TcpSegmentEvent[],
): LadderRow[] {
  const arrivals = new Map<string, TcpSegmentEvent[]>();
  for (const s of receiver) {
    if (s.direction !== 'in') continue;
    const key = segmentKey(s);
    arrivals.set(key, [...(arrivals.get(key) ?? []), s]);
  }
  return sender
    .filter(s => s.direction === 'out')
    .map(s => {
      const waiting = arrivals.get(segmentKey(s)) ?? [];
      const at = waiting.findIndex(arrival => arrival.time >= s.time);
      const [arrival] = at < 0 ? [] : waiting.splice(at, 1);
      return {
        from,
        sentAt: s.time,
        arrivedAt: arrival?.time,
        flags: s.flags,
        seq: s.seq,
        ack: s.ack,
        window: s.window,
        length: s.length,
        options: s.options,
        retransmission: s.retransmission,
        senderState: s.after,
        receiverState: arrival?.after,
      };
    });
}

/** Timestamps tell a retransmission from its original. */
const segmentKey = (s: TcpSegmentEvent): string => `${s.seq} ${s.ack} ${s.flags} ${s.length} ${s.options}`;
