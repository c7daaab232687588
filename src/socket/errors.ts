/** Errors of the socket API, in the shape that Node's have: what code written for either expects. */
export interface NetworkErrorDetails {
  code: string;
  syscall?: string;
  address?: string;
  port?: number;
  /** What is known of the cause: 'nothing listens on port 81', 'host unreachable, says 10.0.0.1'. */
  why?: string;
}

export class NetworkError extends Error {
  override name = 'NetworkError';
  readonly code: string;
  readonly syscall: string | undefined;
  readonly address: string | undefined;
  readonly port: number | undefined;
  readonly why: string | undefined;

  constructor(details: NetworkErrorDetails) {
    const where =
      details.address === undefined ? '' : ` ${details.address}${details.port === undefined ? '' : `:${details.port}`}`;
    super(
      `${details.syscall ?? 'socket'} ${details.code}${where}${details.why === undefined ? '' : ` (${details.why})`}`,
    );
    this.code = details.code;
    this.syscall = details.syscall;
    this.address = details.address;
    this.port = details.port;
    this.why = details.why;
  }
}
