/** R2 has passed (RFC 9293 §3.8.3): the connection is closed, and the user told why. */
import type { Instant } from '../../base/instant.ts';
import type { TcpConnection } from './connection.ts';
import { isSynchronized } from './state.ts';

export function giveUp(c: TcpConnection, now: Instant, why: string): void {
  if (isSynchronized(c.state) && c.settings.resetsOnTimeout) c.sendReset(now);
  const { code, why: cause } = c.softError ?? { code: 'ETIMEDOUT' as const, why };
  c.fail(code, c.softError === undefined ? why : `${why}; ${cause}`);
}
