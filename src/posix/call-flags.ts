/** How a call that sends or receives is meant (the MSG_ flags of POSIX and of the kernels). */
import type { IpAddress } from '../wire/ip-address.ts';
import type { StampedPoint } from './error-queue.ts';

export interface SendFlags {
  more?: boolean;
  endOfRecord?: boolean;
  dontWait?: boolean;
  zeroCopy?: boolean;
  /** Nothing follows: the FIN goes with the last of the data (MSG_EOF). */
  closes?: boolean;
  /** Sizes of the buffers that the bytes lie in, where they are several. */
  buffers?: readonly number[];
  /** The last byte is urgent (MSG_OOB). */
  urgent?: boolean;
  /** Connect to here with the data on the SYN. */
  fastOpenTo?: { address: IpAddress; port: number };
  /** Instead of what the socket asks to be told of. */
  stamps?: ReadonlySet<StampedPoint>;
}

export interface ReceiveFlags {
  peek?: boolean;
  dontWait?: boolean;
  waitAll?: boolean;
  /** Nothing at the urgent mark, which stays where it is (splice). */
  stopAtMark?: boolean;
}
