/** poll and epoll of scripts. */
import { Epoll, POLL } from '../posix/events.ts';
import { type Attempt, failed, isFailed, type Result } from '../posix/results.ts';
import type { CallOutcome, Calls } from './calls.ts';
import type { Expression } from './script.ts';
import { SYMBOLS } from './symbols.ts';
import { field } from './values.ts';

export function poll(c: Calls, args: Expression[]): Attempt<CallOutcome> {
  const list = args[0].kind === 'list' ? args[0].items : [];
  const timeout = c.number(args[2]);
  const until = timeout < 0 ? Number.POSITIVE_INFINITY : c.now() + timeout * 1e6;
  return () => {
    let ready = 0;
    let complaint: string | undefined;
    for (const item of list) {
      const file = c.any(field(item, 'fd') ?? item);
      const asked = c.number(field(item, 'events'));
      const got = isFailed(file) ? POLL.nval : file.poll() & (asked | POLL.err | POLL.hup);
      if (got !== 0) ready++;
      const wanted = field(item, 'revents');
      if (wanted !== undefined && wanted.kind !== 'any' && c.number(wanted) !== got)
        complaint = `revents is 0x${got.toString(16)}`;
    }
    if (ready === 0 && c.now() < until) return undefined;
    return { result: ready, complaint };
  };
}

export function epollControl(c: Calls, args: Expression[]): Result<number> {
  const epoll = c.any(args[0]);
  const fd = c.number(args[2], -1);
  const file = c.any(args[2]);
  if (isFailed(epoll)) return epoll;
  if (isFailed(file)) return file;
  if (!(epoll instanceof Epoll)) return failed('EINVAL');
  const operation = c.number(args[1]);
  const events = c.number(field(args[3], 'events'));
  const data = field(args[3], 'fd') ?? field(args[3], 'ptr') ?? field(args[3], 'u32') ?? field(args[3], 'u64');
  const value = data === undefined ? undefined : c.number(data);
  if (operation === SYMBOLS.EPOLL_CTL_ADD) {
    if (epoll.has(fd)) return failed('EEXIST');
    epoll.add(fd, file, events, value);
  } else if (!epoll.has(fd)) return failed('ENOENT');
  else if (operation === SYMBOLS.EPOLL_CTL_DEL) epoll.remove(fd);
  else epoll.modify(fd, events, value);
  return 0;
}

export function epollWait(c: Calls, args: Expression[]): Attempt<CallOutcome> {
  const epoll = c.any(args[0]);
  if (isFailed(epoll)) return () => ({ result: -1, errno: epoll.errno });
  if (!(epoll instanceof Epoll)) return () => ({ result: -1, errno: 'EINVAL' });
  const most = c.number(args[2], 1);
  const timeout = c.number(args[3]);
  const until = timeout < 0 ? Number.POSITIVE_INFINITY : c.now() + timeout * 1e6;
  return () => {
    const events = epoll.take(most);
    if (events.length === 0 && c.now() < until) return undefined;
    const wanted = args[1].kind === 'list' ? args[1].items : [args[1]];
    for (const [index, event] of events.entries()) {
      const expected = field(wanted[index], 'events');
      if (expected === undefined || expected.kind === 'any') continue;
      if (c.number(expected) !== event.events)
        return { result: events.length, complaint: `events is 0x${event.events.toString(16)}` };
    }
    return { result: events.length };
  };
}
