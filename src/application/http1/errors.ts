/** HTTP's own errors: whose fault it was, and what a server answers to it (RFC 9110 §15). */
export class HttpError extends Error {
  override name = 'HttpError';
  /** 'local': the caller asked for what HTTP does not allow; 'remote': the other end broke the protocol. */
  readonly side: 'local' | 'remote';
  /** For a server: the status to answer with. */
  readonly status: number;

  constructor(side: 'local' | 'remote', message: string, status = 400) {
    super(message);
    this.side = side;
    this.status = status;
  }
}
