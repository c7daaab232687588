/** Conditional requests (RFC 9110 §13), evaluated in the order of §13.2.2. */
import { parseHttpDate } from './date.ts';
import type { Headers } from './headers.ts';

export interface Validators {
  /** With its quotes, and W/ when weak. */
  etag?: string;
  /** Milliseconds since 1970, whole seconds. */
  lastModified?: number;
}

/** 'go-on', or the status that answers the request. */
export function evaluateConditions(
  method: string,
  headers: Headers,
  current: Validators,
  now: number,
): 'go-on' | 304 | 412 {
  const ifMatch = headers.get('If-Match');
  const ifUnmodifiedSince = headers.get('If-Unmodified-Since');
  if (ifMatch !== undefined) {
    if (!matchesAny(ifMatch, current.etag, 'strong')) return 412;
  } else if (ifUnmodifiedSince !== undefined) {
    const date = parseHttpDate(ifUnmodifiedSince, now);
    if (date !== undefined && current.lastModified !== undefined && current.lastModified > date) return 412;
  }
  const safe = method === 'GET' || method === 'HEAD';
  const ifNoneMatch = headers.get('If-None-Match');
  const ifModifiedSince = headers.get('If-Modified-Since');
  if (ifNoneMatch !== undefined) {
    if (matchesAny(ifNoneMatch, current.etag, 'weak')) return safe ? 304 : 412;
  } else if (safe && ifModifiedSince !== undefined) {
    const date = parseHttpDate(ifModifiedSince, now);
    if (date !== undefined && current.lastModified !== undefined && current.lastModified <= date) return 304;
  }
  return 'go-on';
}

/** RFC 9110 §13.1.5: does If-Range still speak of what there is now? */
export function rangeStillApplies(headers: Headers, current: Validators, now: number): boolean {
  const field = headers.get('If-Range');
  if (field === undefined) return true;
  if (field.startsWith('"') || field.startsWith('W/'))
    return current.etag !== undefined && compare(field, current.etag, 'strong');
  const date = parseHttpDate(field, now);
  return date !== undefined && date === current.lastModified;
}

function matchesAny(field: string, etag: string | undefined, how: 'strong' | 'weak'): boolean {
  if (field.trim() === '*') return etag !== undefined;
  if (etag === undefined) return false;
  const tags = field.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
  return tags.some(tag => compare(tag, etag, how));
}

/** §8.8.3.2. */
function compare(a: string, b: string, how: 'strong' | 'weak'): boolean {
  if (how === 'strong' && (a.startsWith('W/') || b.startsWith('W/'))) return false;
  return a.replace(/^W\//, '') === b.replace(/^W\//, '');
}
