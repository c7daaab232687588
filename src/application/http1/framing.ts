/** How long a message's body is (RFC 9112 §6). Whatever two parties could understand differently is an error. */
import { HttpError } from './errors.ts';
import type { Headers } from './headers.ts';

export type Framing =
  | { kind: 'none' }
  | { kind: 'length'; length: number }
  | { kind: 'chunked' }
  | { kind: 'until-close' };

/** Throws HttpError. */
export function requestFraming(version: string, headers: Headers): Framing {
  const coded = transferCoding(version, headers);
  if (coded !== undefined) {
    // §6.3 (4): "if a Transfer-Encoding ... chunked is not the final encoding, the length cannot be determined reliably".
    if (coded !== 'chunked') throw new HttpError('remote', 'the request body is not chunked at last', 400);
    return { kind: 'chunked' };
  }
  const length = contentLength(headers);
  return length === undefined || length === 0 ? { kind: 'none' } : { kind: 'length', length };
}

/** Throws HttpError. */
export function responseFraming(version: string, method: string, status: number, headers: Headers): Framing {
  // §6.3 (1), (2)
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  if (bodiless || (method === 'CONNECT' && status < 300)) return { kind: 'none' };
  const coded = transferCoding(version, headers);
  if (coded !== undefined) return coded === 'chunked' ? { kind: 'chunked' } : { kind: 'until-close' };
  const length = contentLength(headers);
  if (length === undefined) return { kind: 'until-close' };
  return length === 0 ? { kind: 'none' } : { kind: 'length', length };
}

/** The last transfer coding. */
function transferCoding(version: string, headers: Headers): string | undefined {
  if (!headers.has('Transfer-Encoding')) return undefined;
  // §6.1: a message with both "ought to be handled as an error"; HTTP/1.0 knows no transfer codings.
  if (headers.has('Content-Length')) throw new HttpError('remote', 'both Transfer-Encoding and Content-Length', 400);
  if (version === '1.0') throw new HttpError('remote', 'Transfer-Encoding in an HTTP/1.0 message', 400);
  const codings = headers.tokens('Transfer-Encoding');
  // §6.1: "A server that receives ... a transfer coding it does not understand SHOULD respond with 501"; chunked comes once, last.
  const others = codings.filter(coding => coding !== 'chunked');
  if (others.length > 0) throw new HttpError('remote', `transfer coding '${others[0]}' is not known`, 501);
  if (codings.length !== 1) throw new HttpError('remote', 'chunked is applied more than once', 400);
  return codings[0];
}

function contentLength(headers: Headers): number | undefined {
  const values = headers.all('Content-Length');
  if (values.length === 0) return undefined;
  // §6.3 (5) lets a recipient take identical repeated values for one; we do not.
  if (values.length > 1 || !/^\d{1,15}$/.test(values[0])) {
    throw new HttpError('remote', `Content-Length '${values.join(', ')}' is not one number`, 400);
  }
  return Number(values[0]);
}
