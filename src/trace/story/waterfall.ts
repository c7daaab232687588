/** The requests of a page as bars on one axis of time: waiting for a connection, for the first byte, for the rest. */
import { formatDuration } from '../../base/instant.ts';
import type { Journey, RequestStory } from './types.ts';

const NAME = 26;
const TAKEN = 10;

/** ░ no connection yet, ▒ waiting for the first byte, █ receiving. */
export function waterfall(journey: Journey, width: number): string[] {
  const total = Math.max(1, journey.loadedAt - journey.startedAt);
  const room = width - NAME - 5 - TAKEN - 1;
  const column = (time: number): number => Math.min(room, Math.round(((time - journey.startedAt) / total) * room));
  const lines = journey.requests.map(request => {
    const status = request.statusLine?.split(' ')[1] ?? 'fail';
    const took = formatDuration(request.endedAt - request.startedAt).padStart(TAKEN);
    return `${shorten(request.url, journey.url).padEnd(NAME)} ${status.padEnd(4)}${bar(request, column).padEnd(room)} ${took}`;
  });
  const axis = `${' '.repeat(NAME + 5)}0${formatDuration(total).padStart(room - 1)}`;
  return [axis, ...lines, `${' '.repeat(NAME + 5)}░ connection  ▒ first byte  █ body`];
}

function bar(request: RequestStory, column: (time: number) => number): string {
  const sent = request.startedAt + request.phases.waitForConnection;
  const first = sent + (request.phases.firstByte ?? 0);
  const at = [request.startedAt, sent, first, request.endedAt].map(column);
  const drawn =
    ' '.repeat(at[0]) + '░'.repeat(at[1] - at[0]) + '▒'.repeat(at[2] - at[1]) + '█'.repeat(Math.max(0, at[3] - at[2]));
  return drawn.length === at[0] ? `${drawn}▏` : drawn;
}

/** The path for the page's own host, host and path for others. */
function shorten(url: string, page: string): string {
  const { host, pathname, search } = new URL(url);
  const own = host === new URL(page).host;
  const text = own ? `${pathname}${search}` : `${host.split('.')[0]}${pathname}${search}`;
  return text.length > NAME ? `${text.slice(0, NAME - 1)}…` : text;
}
