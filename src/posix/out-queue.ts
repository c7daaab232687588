/** What a socket's user has written and the other end does not have yet (SIOCOUTQ, SIOCOUTQNSD). */
import { seqDiff } from '../base/seq32.ts';
import type { TcpEndpoint } from '../transport/tcp/endpoint.ts';

export interface OutQueue {
  /** Bytes written and not acknowledged, and of these not sent. */
  unacknowledged: number;
  unsent: number;
}

export function outQueueOf(endpoint: TcpEndpoint | undefined): OutQueue {
  const isOpening = endpoint?.state === 'SYN_SENT' || endpoint?.state === 'SYN_RCVD';
  if (endpoint === undefined || isOpening) return { unacknowledged: 0, unsent: 0 };
  const { writeSeq, tcb } = endpoint.connection.sender;
  return { unacknowledged: seqDiff(writeSeq, tcb.sndUna), unsent: seqDiff(writeSeq, tcb.sndNxt) };
}
