/** What system calls answer. */

/** The name of an errno: 'EAGAIN', 'ECONNRESET' ... */
export type Errno = string;

export interface Failed {
  errno: Errno;
}

export type Result<T> = T | Failed;

export const failed = (errno: Errno): Failed => ({ errno });

export const isFailed = (result: unknown): result is Failed =>
  typeof result === 'object' && result !== null && 'errno' in result;

/** A call that may have to wait: asked again whenever something has happened, until it answers. */
export type Attempt<T> = () => Result<T> | undefined;
