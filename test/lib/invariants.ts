import type { TcpConnection } from '../../src/transport/tcp/connection.ts';

/** What must hold of a connection after every step; a sentence when it does not. */
export function brokenInvariant(connection: TcpConnection): string | undefined {
  if (connection.state === 'CLOSED')
    return connection.deadline === Number.POSITIVE_INFINITY ? undefined : 'a timer outlives CLOSED';
  return connection.sender.check() ?? connection.receiver.check();
}
