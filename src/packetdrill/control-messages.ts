/** The control messages of sendmsg and recvmsg: what a script asks for with them, and what it expects to be told. */
import type { Duration } from '../base/instant.ts';
import type { SendFlags } from '../posix/call-flags.ts';
import type { Notice } from '../posix/error-queue.ts';
import type { StreamSocket } from '../posix/stream-socket.ts';
import type { Calls } from './calls.ts';
import { stampsOf } from './options.ts';
import type { Expression } from './script.ts';
import { ERRNO } from './symbols.ts';
import { field } from './values.ts';

/** As for all times of a script. */
const STAMP_TOLERANCE: Duration = 4e6;

/** A control message may ask for the timestamps of this write alone. */
export function stampsAsked(c: Calls, control: Expression | undefined): SendFlags['stamps'] {
  for (const message of control?.kind === 'list' ? control.items : []) {
    const type = field(message, 'cmsg_type');
    if (type?.kind === 'symbol' && type.name === 'SO_TIMESTAMPING')
      return stampsOf(c.number(field(message, 'cmsg_data')));
  }
  return undefined;
}

/** What of the control messages that a script expects is not what a notice would fill in. */
export function complainNotice(c: Calls, control: Expression | undefined, notice: Notice): string | undefined {
  if (control?.kind !== 'list') return undefined;
  const told = notice.kind === 'timestamp' ? 2 : 1;
  if (control.items.length !== told) return `there are ${told} control messages`;
  for (const message of control.items) {
    const data = field(message, 'cmsg_data');
    const type = field(message, 'cmsg_type');
    const isTime = type?.kind === 'symbol' && type.name.startsWith('SCM_TIMESTAMPING');
    const reason = isTime ? complainTime(c, data, notice) : complainError(c, data, notice);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

const STAMP_NUMBERS = { sent: 0, scheduled: 1, acknowledged: 2 } as const;

/** struct sock_extended_err. */
function complainError(c: Calls, data: Expression | undefined, notice: Notice): string | undefined {
  const expected =
    notice.kind === 'zero-copy'
      ? { ee_errno: 0, ee_origin: 5, ee_type: 0, ee_code: 1, ee_info: notice.first, ee_data: notice.last }
      : {
          ee_errno: ERRNO.ENOMSG,
          ee_origin: 4,
          ee_type: 0,
          ee_code: 0,
          ee_info: STAMP_NUMBERS[notice.point],
          ee_data: notice.id,
        };
  for (const [name, value] of Object.entries(expected)) {
    const wanted = field(data, name);
    if (wanted !== undefined && wanted.kind !== 'any' && c.number(wanted) !== value) return `${name} is ${value}`;
  }
  return undefined;
}

/** struct scm_timestamping, since the script began. */
function complainTime(c: Calls, data: Expression | undefined, notice: Notice): string | undefined {
  if (notice.kind !== 'timestamp') return 'there is no timestamp';
  const seconds = c.number(field(data, 'scm_sec'));
  const wanted = seconds * 1e9 + c.number(field(data, 'scm_nsec'));
  const got = notice.at - c.world_().startedAt;
  return Math.abs(got - wanted) <= STAMP_TOLERANCE ? undefined : `the timestamp is ${got / 1e9} s`;
}

/** TCP_INQ: how much is left behind what was read; one when that is the end of the stream. */
export function complainInq(c: Calls, socket: StreamSocket, control: Expression | undefined): string | undefined {
  const data = field(control?.kind === 'list' ? control.items[0] : undefined, 'cmsg_data');
  const receiver = socket.endpoint?.connection.receiver;
  if (data === undefined || receiver === undefined) return undefined;
  const inq = receiver.readable === 0 && receiver.finReceived ? 1 : receiver.readable;
  return c.number(data) === inq ? undefined : `TCP_CM_INQ is ${inq}`;
}
