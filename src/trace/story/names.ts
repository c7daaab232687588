/** From DNS events to the story of each name that the client asked for. */
import { canonicalName } from '../../wire/dns-name.ts';
import type { DnsEvent } from '../events.ts';
import type { NameStep, NameStory } from './types.ts';

/** `client` is the host whose browser asks; the stories are in the order of the questions. */
export function nameStories(events: readonly DnsEvent[], client: string): NameStory[] {
  const starts = events.filter(event => event.host === client && event.where === 'browser cache');
  const asked = new Set(starts.map(event => canonicalName(event.name)));
  return starts.map(start => oneName(events, start, asked)).filter(story => story !== undefined);
}

function oneName(events: readonly DnsEvent[], start: DnsEvent, asked: ReadonlySet<string>): NameStory | undefined {
  const name = canonicalName(start.name);
  const from = events.indexOf(start);
  const base = { name: name.replace(/\.$/, ''), type: start.type, askedAt: start.time };
  // A hit in the browser's cache is no journey.
  if (start.action === 'cache-hit') return undefined;
  const end = endOf(events, from, start);
  const steps: NameStep[] = [];
  const underWay = new Map<string, Extract<NameStep, { kind: 'query' }>>();
  for (const event of events.slice(from, end + 1)) {
    const own = canonicalName(event.name) === name;
    // A resolver on the way to this name also asks for others, but not for those that the client asked for itself.
    if (!own && (event.where !== 'resolver' || asked.has(canonicalName(event.name)))) continue;
    addStep(steps, underWay, event, own);
  }
  const last = events[end];
  return { ...base, took: last.time - start.time, result: last.detail ?? 'no answer', steps };
}

/** The last event of a lookup: the client's own answer, a hit on the client, or where the events end. */
function endOf(events: readonly DnsEvent[], from: number, start: DnsEvent): number {
  const wanted = canonicalName(start.name);
  let last = from;
  for (let at = from; at < events.length; at++) {
    const event = events[at];
    if (event.host !== start.host || canonicalName(event.name) !== wanted || event.type !== start.type) continue;
    if (at > from && event.where === 'browser cache') break;
    last = at;
    if (event.action === 'answer' || event.action === 'cache-hit') break;
  }
  return last;
}

function addStep(
  steps: NameStep[],
  underWay: Map<string, Extract<NameStep, { kind: 'query' }>>,
  event: DnsEvent,
  own: boolean,
): void {
  const { host, where, action, detail } = event;
  if (action === 'cache-hit' || action === 'cache-miss' || action === 'cache-off') {
    const outcome = action === 'cache-hit' ? 'hit' : action === 'cache-miss' ? 'miss' : 'off';
    steps.push({ kind: 'cache', host, cache: where, outcome, ...(outcome === 'hit' ? { detail } : {}) });
    return;
  }
  const key = `${host} ${event.server} ${canonicalName(event.name)} ${event.type}`;
  if (action === 'query') {
    const step: Extract<NameStep, { kind: 'query' }> = {
      kind: 'query',
      host,
      who: where,
      server: event.server ?? '',
      zone: event.zone,
      at: event.time,
      outcome: 'no answer',
      overTcp: false,
      ...(own ? {} : { name: `${event.name.replace(/\.$/, '')} ${event.type}` }),
    };
    underWay.set(key, step);
    steps.push(step);
    return;
  }
  const step = underWay.get(key);
  if (step === undefined) return;
  if (action === 'truncated') step.overTcp = true;
  if (action === 'answer' || action === 'referral' || action === 'error') {
    step.took = event.time - step.at;
    step.outcome = action === 'referral' ? `refers to ${detail}` : (detail ?? action);
  }
}
