/** The journey as text: layer by layer, 80 columns, with or without colour. */
import { type Duration, formatDuration } from '../../base/instant.ts';
import { chapters, ladder } from './ladder.ts';
import type { ConnectionStory, Journey, NameStep, NameStory, RequestStory } from './types.ts';
import { waterfall } from './waterfall.ts';

export interface RenderOptions {
  width?: number;
  colour?: boolean;
  /** Every segment of every connection, every header. */
  verbose?: boolean;
}

interface Paper {
  lines: string[];
  width: number;
  verbose: boolean;
  heading(number: number, title: string, text: string, took?: Duration): void;
  add(text: string, indent?: number): void;
  dim(text: string): string;
}

export function renderJourney(journey: Journey, options: RenderOptions = {}): string {
  const paper = newPaper(options);
  let number = 1;
  for (const name of journey.names) renderName(paper, number++, name);
  if (journey.nextHops.length > 0) renderNextHops(paper, number++, journey);
  const [main, ...others] = journey.connections;
  if (main !== undefined) renderConnect(paper, number++, main, others);
  const [page, ...resources] = journey.requests;
  if (page !== undefined) renderRequest(paper, number++, page);
  const followed = paper.verbose ? resources : resources.filter(request => isHop(page, request));
  for (const request of followed) renderRequest(paper, number++, request);
  if (resources.length > 0) renderPage(paper, number++, journey);
  if (paper.verbose) for (const connection of journey.connections) renderSegments(paper, number++, connection);
  if (main !== undefined && chapters(main).close.length > 0) renderClose(paper, number++, main, others);
  renderSummary(paper, journey);
  return `${paper.lines.join('\n')}\n`;
}

/** Redirects and the second try after a 401 belong to the page itself. */
function isHop(page: RequestStory | undefined, request: RequestStory): boolean {
  const status = Number(page?.statusLine?.split(' ')[1]);
  return request.number === 2 && (status === 401 || (status >= 300 && status < 400));
}

function newPaper(options: RenderOptions): Paper {
  const lines: string[] = [];
  const width = options.width ?? 80;
  const paint = (code: number, text: string): string => (options.colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    lines,
    width,
    verbose: options.verbose ?? false,
    heading(number, title, text, took) {
      const head = `${number} ${title}`;
      const right = took === undefined ? '' : formatDuration(took);
      const room = width - head.length - 2 - right.length - 1;
      const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
      if (lines.length > 0) lines.push('');
      lines.push(`${paint(1, head)}  ${shown.padEnd(right === '' ? 0 : room)} ${right}`.trimEnd());
    },
    add(text, indent = 4) {
      for (const line of wrap(text, width - indent)) lines.push(' '.repeat(indent) + line);
    },
    dim: text => paint(2, text),
  };
}

/** Breaks at blanks; a word longer than a line is broken where the line ends. */
function wrap(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  let left = text;
  while (left.length > width) {
    const at = left.lastIndexOf(' ', width);
    const cut = at > width / 3 ? at : width;
    lines.push(left.slice(0, cut).trimEnd());
    left = `  ${left.slice(cut).trimStart()}`;
  }
  return [...lines, left];
}

function renderName(paper: Paper, number: number, story: NameStory): void {
  paper.heading(number, 'NAME', `${story.name} → ${story.result}`, story.took);
  let caches: string[] = [];
  let host = '';
  const flush = (): void => {
    if (caches.length > 0) paper.add(`${host.padEnd(12)} ${caches.join('   ')}`);
    caches = [];
  };
  for (const step of story.steps) {
    if (step.kind === 'cache') {
      if (step.host !== host) flush();
      host = step.host;
      caches.push(cacheText(step));
    } else {
      flush();
      renderQuery(paper, step);
    }
  }
  flush();
}

function cacheText(step: Extract<NameStep, { kind: 'cache' }>): string {
  return `${step.cache}  ${step.outcome}${step.detail === undefined ? '' : ` (${step.detail})`}`;
}

function renderQuery(paper: Paper, step: Extract<NameStep, { kind: 'query' }>): void {
  const took = step.took === undefined ? '' : formatDuration(step.took);
  const tcp = step.overTcp ? ', over TCP' : '';
  if (step.zone === undefined) {
    // The outcome is told where the name's story ends.
    paper.add(
      `${step.host.padEnd(12)} asks ${step.server}${step.took === undefined || isFailure(step.outcome) ? `: ${step.outcome}` : ''}${tcp}`,
    );
    return;
  }
  const about = step.name === undefined ? '' : `${step.name}? `;
  const left = `→ ${step.zone.replace(/(.)\.$/, '$1')}`;
  const text = `${left.padEnd(14)} ${step.server.padEnd(28)} ${about}${step.outcome}${tcp}`;
  const room = paper.width - 8 - took.length - 1;
  if (text.length <= room) paper.add(`${text.padEnd(room)} ${took}`, 8);
  else {
    paper.add(`${`${left.padEnd(14)} ${step.server}`.padEnd(room)} ${took}`, 8);
    paper.add(`${about}${step.outcome}${tcp}`, 23);
  }
}

const isFailure = (outcome: string): boolean => outcome.startsWith('no answer');

function renderNextHops(paper: Paper, number: number, journey: Journey): void {
  const [first, ...others] = journey.nextHops;
  const answer = first.mac === undefined ? 'nobody answers' : `${first.address} is at ${first.mac}`;
  const tries = first.tries > 1 ? `, asked ${first.tries} times` : '';
  paper.heading(number, 'NEXT HOP', `ARP: who has ${first.address}? ${answer}${tries}`, first.took);
  for (const hop of others) {
    const text = `later, at ${formatDuration(hop.askedAt - journey.startedAt)}: who has ${hop.address}? ${hop.mac ?? 'nobody answers'}`;
    paper.add(text);
  }
}

function renderConnect(paper: Paper, number: number, story: ConnectionStory, others: readonly ConnectionStory[]): void {
  const took = story.establishedAt === undefined ? undefined : story.establishedAt - story.openedAt;
  paper.heading(number, 'CONNECT', `${story.local} ⇄ ${story.remote}`, took);
  if (story.seenAs !== undefined) paper.add(`${story.server} sees it come from ${story.seenAs}: the home router's NAT`);
  const y = story.serverIsn === undefined ? '' : `, y = ${story.serverIsn}`;
  paper.add(`x = ${story.clientIsn}${y}, chosen by RFC 6528`);
  paper.add(`${' '.repeat(10)}${story.client.padEnd(59)}${story.server.slice(0, 11)}`, 0);
  const isFresh = chapters(story).open.length > 0;
  if (isFresh)
    paper.add(`${' '.repeat(10)}${'CLOSED'.padEnd(59)}${story.serverIsn === undefined ? '' : 'LISTEN'}`.trimEnd(), 0);
  for (const line of ladder(story, chapters(story).open, { origin: story.openedAt, width: paper.width }))
    paper.add(line, 0);
  if (others.length > 0) {
    const hosts = new Set(others.map(other => other.remote));
    paper.add(`${others.length} more connection${others.length > 1 ? 's' : ''} later, to ${[...hosts].join(', ')}`);
  }
}

function renderRequest(paper: Paper, number: number, request: RequestStory): void {
  const took = (request.phases.firstByte ?? 0) + (request.phases.body ?? 0);
  const where = request.connection === undefined ? '' : ` on connection ${request.connection}`;
  paper.heading(number, 'REQUEST', `${request.url}${where}`, took);
  if (request.line !== '') paper.add(`> ${request.line}`);
  for (const [name, value] of request.headers)
    paper.add(`> ${name}: ${name === 'Authorization' && !paper.verbose ? `${value.split(' ')[0]} …` : value}`);
  if (request.statusLine !== undefined) {
    paper.add(`< ${request.statusLine}`);
    for (const [name, value] of request.responseHeaders) paper.add(`< ${name}: ${value}`);
  }
  if (request.error !== undefined) paper.add(`failed: ${request.error}`);
  else paper.add(paper.dim(`${request.bytes} bytes of body`));
}

function renderPage(paper: Paper, number: number, journey: Journey): void {
  const origins = new Set(journey.requests.map(request => new URL(request.url).host));
  const used = new Set(journey.requests.map(request => request.connection));
  const text = `${journey.requests.length} requests, ${origins.size} host${origins.size > 1 ? 's' : ''}, ${used.size} connections`;
  paper.heading(number, 'PAGE', text, journey.loadedAt - journey.startedAt);
  for (const line of waterfall(journey, paper.width - 4)) paper.add(line);
}

function renderSegments(paper: Paper, number: number, story: ConnectionStory): void {
  paper.heading(number, 'SEGMENTS', `of connection ${story.number}, ${story.local} ⇄ ${story.remote}`);
  for (const line of ladder(story, story.rows, { origin: story.openedAt, width: paper.width })) paper.add(line, 0);
}

function renderClose(paper: Paper, number: number, story: ConnectionStory, others: readonly ConnectionStory[]): void {
  const { close } = chapters(story);
  paper.heading(number, 'CLOSE', `of connection ${story.number}`);
  for (const line of ladder(story, close, { origin: close[0].sentAt, width: paper.width })) paper.add(line, 0);
  paper.add(`${story.client}: ${story.states.client.join(' → ')}`);
  if (story.states.server.length > 1) paper.add(`${story.server}: ${story.states.server.join(' → ')}`);
  const waits = story.states.client.includes('TIME_WAIT');
  if (waits && story.closedAt !== undefined) {
    paper.add(
      `CLOSED after 2 MSL, at +${formatDuration(story.closedAt - close[0].sentAt)}: no old segment can be alive then`,
    );
  }
  if (others.length > 0) {
    const closed = others.filter(other => other.closedAt !== undefined).length;
    paper.add(`${closed} of the ${others.length} other connections closed likewise`);
  }
}

function renderSummary(paper: Paper, journey: Journey): void {
  const { summary } = journey;
  const { phases } = summary;
  const whole = formatDuration(journey.loadedAt - journey.startedAt);
  const steps = [
    `name ${formatDuration(phases.name)}`,
    `connect ${formatDuration(phases.connect)}`,
    `first byte ${formatDuration(phases.firstByte)}`,
    `body ${formatDuration(phases.body)}`,
  ];
  paper.lines.push('');
  paper.add(`TIME     ${steps.join(' · ')}`, 0);
  paper.add(`sub-resources ${formatDuration(phases.subresources)} · all of it ${whole}`, 9);
  const bodies = `${summary.bodyBytes} bytes of bodies`;
  paper.add(
    `TRAFFIC  ${plural(summary.requests, 'request')} on ${plural(summary.connections, 'connection')}, ${bodies}`,
    0,
  );
  paper.add(
    `${plural(summary.segments, 'segment')} sent by all hosts, ${plural(summary.retransmissions, 'retransmission')}`,
    9,
  );
  paper.add(`${journey.client}'s link: ${plural(summary.clientFrames, 'frame')}, ${summary.clientBytes} bytes`, 9);
  paper.add(`all links: ${plural(summary.frames, 'frame')}, ${summary.bytes} bytes, ${summary.lostFrames} lost`, 9);
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
