/** A connection as a ladder diagram, 80 columns wide: time, the client's state, the segment, the server's state. */
import type { Instant } from '../../base/instant.ts';
import { ACK, flagNames, RST, SYN } from '../../wire/tcp.ts';
import type { ConnectionStory, LadderRow } from './types.ts';

export interface LadderOptions {
  /** Times are shown from here. */
  origin: Instant;
  width?: number;
}

const STATE = 11;
const TIME = 9;

/** The lines of the rows given, with a head line when `head` is set. */
export function ladder(story: ConnectionStory, rows: readonly LadderRow[], options: LadderOptions): string[] {
  const width = options.width ?? 80;
  // time, blank, state, blank, arrow, blank, state
  const arrowWidth = width - TIME - 1 - STATE - 1 - 1 - STATE;
  const shown = { client: '', server: '' };
  return rows.map(row => {
    const mine = row.from === 'client' ? row.senderState : row.receiverState;
    const theirs = row.from === 'client' ? row.receiverState : row.senderState;
    const left = fresh(shown, 'client', mine);
    const right = fresh(shown, 'server', theirs);
    const time = shortTime(row.sentAt - options.origin).padStart(TIME);
    return `${time} ${left.padEnd(STATE)} ${arrow(row, segmentText(row, story, arrowWidth - 5), arrowWidth)} ${right}`.trimEnd();
  });
}

/** Always fits: '+52.8 ms', '+183.0 s'. */
function shortTime(since: number): string {
  return since < 1e9 ? `+${(since / 1e6).toFixed(1)} ms` : `+${(since / 1e9).toFixed(since < 1e11 ? 2 : 1)} s`;
}

/** A state is written when it is another than the one above it. */
function fresh(shown: { client: string; server: string }, end: 'client' | 'server', state: string | undefined): string {
  if (state === undefined || state === shown[end]) return '';
  shown[end] = state;
  return state;
}

/**
 * 'SYN+ACK seq=y ack=x+1 win=65535 mss=1460'; x and y are the initial sequence numbers. Of a segment without SYN the
 * window is told where there is room for it.
 */
export function segmentText(row: LadderRow, story: ConnectionStory, room = Number.POSITIVE_INFINITY): string {
  const [own, other] = row.from === 'client' ? ['x', 'y'] : ['y', 'x'];
  const ownIsn = row.from === 'client' ? story.clientIsn : story.serverIsn;
  const otherIsn = row.from === 'client' ? story.serverIsn : story.clientIsn;
  const parts = [flagNames(row.flags & ~ACK & 0x1ff).replace('none', '')].filter(text => text !== '');
  const flags = row.flags & ACK ? [...parts, 'ACK'].join('+') : parts.join('+');
  const text = [flags, `seq=${ownIsn === undefined ? row.seq : relative(row.seq, ownIsn, own)}`];
  if (row.flags & ACK) text.push(`ack=${otherIsn === undefined ? row.ack : relative(row.ack, otherIsn, other)}`);
  if (row.length > 0) text.push(`${row.length} bytes`);
  const mss = /mss (\d+)/.exec(row.options);
  if (row.flags & SYN && mss !== null) text.push(`win=${row.window} mss=${mss[1]}`);
  if (row.retransmission) text.push('(again)');
  const short = text.join(' ');
  const long = `${short} win=${row.window}`;
  return row.flags & (SYN | RST) || long.length > room ? short : long;
}

function relative(seq: number, isn: number, letter: string): string {
  const distance = (seq - isn) | 0;
  if (distance === 0) return letter;
  return distance > 0 ? `${letter}+${distance}` : `${letter}${distance}`;
}

/** `width` columns: a head, a shaft on both sides of the text, and a cross where a lost segment was last seen. */
function arrow(row: LadderRow, text: string, width: number): string {
  // A text that is too long keeps its words and loses its end.
  const label = ` ${text.length > width - 5 ? `${text.slice(0, width - 6)}…` : text} `;
  const shaft = width - label.length - 1;
  const left = '─'.repeat(Math.floor(shaft / 2));
  const right = '─'.repeat(shaft - left.length);
  const lost = row.arrivedAt === undefined;
  if (row.from === 'client') return `${left}${label}${right}${lost ? '✗' : '▶'}`;
  return `${lost ? '✗' : '◀'}${left}${label}${right}`;
}

/** The rows that open, carry and close a connection. */
export function chapters(story: ConnectionStory): { open: LadderRow[]; data: LadderRow[]; close: LadderRow[] } {
  const { rows } = story;
  // What never came to be has no end either: its RST belongs to the attempt.
  if (story.establishedAt === undefined) return { open: [...rows], data: [], close: [] };
  const firstAck = rows.findIndex(row => row.from === 'client' && !(row.flags & SYN));
  const openEnd = firstAck < 0 || rows[firstAck].length > 0 ? lastSyn(rows) + 1 : firstAck + 1;
  const closing = rows.findIndex((row, at) => at >= openEnd && row.flags & (1 | RST));
  const closeStart = closing < 0 ? rows.length : closing;
  return { open: rows.slice(0, openEnd), data: rows.slice(openEnd, closeStart), close: rows.slice(closeStart) };
}

const lastSyn = (rows: readonly LadderRow[]): number => rows.findLastIndex(row => row.flags & SYN);
