/** What a failure is called on the command line: the layer that failed and why, in one line. */
import { NameError } from '../application/dns/types.ts';
import { HttpError } from '../application/http1/errors.ts';
import { WorldAtRest } from '../sim/clock.ts';
import { NetworkError } from '../socket/errors.ts';

export interface Failure {
  layer: 'NAME' | 'ROUTE' | 'CONNECT' | 'HTTP' | 'TAP' | 'INPUT';
  message: string;
}

/** Undefined: not a failure of the network but a bug of ours. */
export function describeFailure(error: unknown): Failure | undefined {
  if (error instanceof NameError) return { layer: 'NAME', message: error.message };
  if (error instanceof NetworkError) return networkFailure(error);
  if (error instanceof HttpError) return { layer: error.side === 'local' ? 'INPUT' : 'HTTP', message: error.message };
  if (error instanceof WorldAtRest) return { layer: 'HTTP', message: error.message };
  return undefined;
}

function networkFailure(error: NetworkError): Failure {
  const where = `${error.address}:${error.port}`;
  const why = error.why === undefined ? '' : ` (${error.why})`;
  switch (error.code) {
    case 'ECONNREFUSED':
      return { layer: 'CONNECT', message: `${where} refuses the connection${why}` };
    case 'ECONNRESET':
      return { layer: 'CONNECT', message: `${where} has reset the connection${why}` };
    case 'ETIMEDOUT':
      return { layer: 'CONNECT', message: `${where} does not answer${why}` };
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return { layer: 'ROUTE', message: `${where} can't be reached${why}` };
    default:
      return { layer: 'CONNECT', message: error.message };
  }
}
