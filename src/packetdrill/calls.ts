/** The system calls of a script, done to the host under test; what comes back is compared by the caller. */

import type { SendFlags } from '../posix/call-flags.ts';
import { DatagramFile } from '../posix/datagram-socket.ts';
import { Epoll } from '../posix/events.ts';
import { outQueueOf } from '../posix/out-queue.ts';
import { Pipe, PlainFile } from '../posix/pipe.ts';
import { type Attempt, type Failed, failed, isFailed, type Result } from '../posix/results.ts';
import { StreamStack } from '../posix/stack.ts';
import { StreamSocket } from '../posix/stream-socket.ts';
import { type IpAddress, mappedIpv4, parseIp } from '../wire/ip-address.ts';
import { complainInq, complainNotice, stampsAsked } from './control-messages.ts';
import { getOption, type OptionValue, setOption } from './options.ts';
import type { Expression, SystemCall } from './script.ts';
import { SYMBOLS } from './symbols.ts';
import { infoFields, unconnectedFields } from './tcp-info-fields.ts';
import { field, Unsupported, type Values } from './values.ts';
import { epollControl, epollWait, poll } from './wait-calls.ts';
import type { World } from './world.ts';

type File = StreamSocket | Epoll | DatagramFile | Pipe | PlainFile;

export interface CallOutcome {
  result: number;
  errno?: string;
  /** What the script expected of an argument and did not get. */
  complaint?: string;
}

const DEFAULT_PORT = 8080;

export class Calls {
  readonly stack: StreamStack;
  /** By the number that the script knows them by. */
  private readonly files = new Map<number, File>();
  private nextFd = 3;
  private readonly world: World;
  private readonly values: Values;

  constructor(world: World, values: Values) {
    this.world = world;
    this.values = values;
    this.stack = new StreamStack(world.host);
  }

  file(fd: number): File | undefined {
    return this.files.get(fd);
  }

  get streams(): StreamSocket[] {
    return [...this.files.values()].filter(file => file instanceof StreamSocket);
  }

  /** The call as something that may have to be asked again. Throws Unsupported. */
  start(call: SystemCall): Attempt<CallOutcome> {
    const handler = HANDLERS[call.name];
    if (handler === undefined) throw new Unsupported(`the system call ${call.name} is not known here`);
    return handler(this, call.args, call);
  }

  // --- for the handlers

  number(expression: Expression | undefined, otherwise = 0): number {
    return expression === undefined || expression.kind === 'any' ? otherwise : this.values.number(expression);
  }

  open(file: File, call: SystemCall): number {
    const wanted =
      call.result === undefined || call.result.kind === 'any' ? undefined : this.values.number(call.result);
    const fd = wanted !== undefined && wanted >= 0 && !this.files.has(wanted) ? wanted : this.nextFd;
    this.nextFd = Math.max(this.nextFd, fd) + 1;
    this.files.set(fd, file);
    return fd;
  }

  /** A file under the number that the script gives it. */
  adopt(fd: number, file: File): void {
    this.files.set(fd, file);
    this.nextFd = Math.max(this.nextFd, fd + 1);
  }

  stream(expression: Expression): StreamSocket | Failed {
    const file = this.files.get(this.number(expression, -1));
    if (file === undefined) return failed('EBADF');
    return file instanceof StreamSocket ? file : failed('ENOTSOCK');
  }

  any(expression: Expression): File | Failed {
    return this.files.get(this.number(expression, -1)) ?? failed('EBADF');
  }

  forget(fd: number): void {
    this.files.delete(fd);
    for (const other of this.files.values()) if (other instanceof Epoll) other.remove(fd);
  }

  get now(): () => number {
    return () => this.world.now;
  }

  /** `...` is the address that packetdrill uses: ours for bind, the other end's for connect. */
  address(
    expression: Expression | undefined,
    whose: 'local' | 'remote',
  ): { address: IpAddress | undefined; port: number } {
    const own = whose === 'local' ? this.world.local : this.world.remote;
    if (expression === undefined || expression.kind === 'any') return { address: own, port: DEFAULT_PORT };
    if (expression.kind !== 'struct') throw new Unsupported('this kind of address is not known here');
    const field = (...names: string[]): Expression | undefined =>
      expression.fields.find(f => f.name !== undefined && names.includes(f.name))?.value;
    const port = this.number(field('sin_port', 'sin6_port'), DEFAULT_PORT);
    const at = field('sin_addr', 'sin6_addr');
    if (at === undefined || at.kind === 'any') return { address: own, port };
    const text = this.values.text(at);
    const address = text === undefined ? undefined : parseIp(text);
    if (address === undefined) throw new Unsupported('this kind of address is not known here');
    const isAny = address === 0 || address === '::';
    return { address: isAny ? undefined : (mappedIpv4(address) ?? address), port };
  }

  values_(): Values {
    return this.values;
  }

  world_(): World {
    return this.world;
  }
}

type Handler = (c: Calls, args: Expression[], call: SystemCall) => Attempt<CallOutcome>;

const answer =
  (result: Result<number>): Attempt<CallOutcome> =>
  () =>
    outcome(result);

function outcome(result: Result<number>): CallOutcome {
  return isFailed(result) ? { result: -1, errno: result.errno } : { result };
}

const mapped =
  <T>(attempt: Attempt<T>, finish: (value: T) => CallOutcome): Attempt<CallOutcome> =>
  () => {
    const value = attempt();
    if (value === undefined) return undefined;
    return isFailed(value) ? { result: -1, errno: value.errno } : finish(value as T);
  };

function withStream(
  run: (c: Calls, socket: StreamSocket, args: Expression[], call: SystemCall) => Attempt<CallOutcome>,
): Handler {
  return (c, args, call) => {
    const socket = c.stream(args[0]);
    return isFailed(socket) ? answer(socket) : run(c, socket, args, call);
  };
}

const bytesOf = (n: number): Uint8Array => new Uint8Array(Math.max(0, n));
const BSD_O_NONBLOCK = 4;
const DONTWAIT = SYMBOLS.MSG_DONTWAIT;

function sendFlags(flags: number): SendFlags {
  return {
    urgent: (flags & SYMBOLS.MSG_OOB) !== 0,
    more: (flags & (SYMBOLS.MSG_MORE | SYMBOLS.MSG_EOF)) !== 0,
    endOfRecord: (flags & SYMBOLS.MSG_EOR) !== 0,
    dontWait: (flags & DONTWAIT) !== 0,
    closes: (flags & SYMBOLS.MSG_EOF) !== 0,
    zeroCopy: (flags & SYMBOLS.MSG_ZEROCOPY) !== 0,
  };
}

const send = (
  c: Calls,
  socket: StreamSocket,
  length: number,
  flags: number,
  to: Expression | undefined,
  { buffers, stamps }: Pick<SendFlags, 'buffers' | 'stamps'> = {},
): Attempt<CallOutcome> => {
  const fastOpenTo = flags & SYMBOLS.MSG_FASTOPEN ? resolved(c.address(to, 'remote')) : undefined;
  return mapped(socket.send(bytesOf(length), { ...sendFlags(flags), fastOpenTo, buffers, stamps }), result => ({
    result,
  }));
};

function resolved(to: {
  address: IpAddress | undefined;
  port: number;
}): { address: IpAddress; port: number } | undefined {
  return to.address === undefined ? undefined : { address: to.address, port: to.port };
}

const receive = (socket: StreamSocket, most: number, flags: number): Attempt<Uint8Array> => {
  if (flags & SYMBOLS.MSG_OOB) return socket.receiveUrgent((flags & SYMBOLS.MSG_PEEK) !== 0);
  return socket.receive(most, {
    peek: (flags & SYMBOLS.MSG_PEEK) !== 0,
    dontWait: (flags & DONTWAIT) !== 0,
    waitAll: (flags & SYMBOLS.MSG_WAITALL) !== 0,
  });
};

const count = (attempt: Attempt<Uint8Array>): Attempt<CallOutcome> =>
  mapped(attempt, bytes => ({ result: bytes.length }));

/** '[{..., 1000}, {..., 500}]' or '{..., 1000}': the sizes of its buffers, in bytes. */
function vectorSizes(c: Calls, vector: Expression | undefined): number[] {
  if (vector === undefined || vector.kind === 'any') return [];
  if (vector.kind === 'list') return vector.items.flatMap(item => vectorSizes(c, item));
  if (vector.kind === 'struct') return [c.number(vector.fields[vector.fields.length - 1]?.value)];
  throw new Unsupported('this kind of vector is not known here');
}

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
const vectorLength = (c: Calls, vector: Expression | undefined): number => sum(vectorSizes(c, vector));

const HANDLERS: Record<string, Handler> = {
  socket: (c, args, call) => {
    const type = c.number(args[1], SYMBOLS.SOCK_STREAM);
    const datagram = (type & 0xff) === SYMBOLS.SOCK_DGRAM;
    if (!datagram && (type & 0xff) !== SYMBOLS.SOCK_STREAM)
      throw new Unsupported('only streams and datagrams are here');
    const socket = datagram ? new DatagramFile(c.world_().host) : new StreamSocket(c.stack);
    if (type & SYMBOLS.SOCK_NONBLOCK) socket.nonBlocking = true;
    return () => ({ result: c.open(socket, call) });
  },
  bind: (c, args) => {
    const file = c.any(args[0]);
    if (isFailed(file)) return answer(file);
    const to = c.address(args[1], 'local');
    if (file instanceof DatagramFile) return answer(file.bind(to.port));
    if (file instanceof StreamSocket) return answer(file.bind(to.port));
    return answer(0);
  },
  listen: withStream((c, socket, args) => answer(socket.listen(c.number(args[1])))),
  accept: withStream((c, socket, _args, call) => accept(c, socket, 0, call)),
  accept4: withStream((c, socket, args, call) => accept(c, socket, c.number(args[3]), call)),
  connect: (c, args) => {
    const file = c.any(args[0]);
    if (isFailed(file)) return answer(file);
    if (args[1]?.kind === 'symbol' && args[1].name === 'AF_UNSPEC') {
      return answer(file instanceof StreamSocket ? file.disconnect() : 0);
    }
    const to = c.address(args[1], 'remote');
    if (to.address === undefined) return answer(failed('ECONNREFUSED'));
    if (file instanceof DatagramFile) return answer(file.connect(to.address, to.port));
    if (!(file instanceof StreamSocket)) return answer(failed('ENOTSOCK'));
    return mapped(file.connect(to.address, to.port), result => ({ result }));
  },
  read: (c, args) => {
    const file = c.any(args[0]);
    if (isFailed(file)) return answer(file);
    if (file instanceof DatagramFile) return count(file.receive(c.number(args[2])));
    if (!(file instanceof StreamSocket)) return answer(failed('EINVAL'));
    return badPointer(args[1], c.number(args[2])) ?? count(receive(file, c.number(args[2]), 0));
  },
  readv: withStream((c, socket, args) => count(receive(socket, vectorLength(c, args[1]), 0))),
  recv: withStream(
    (c, socket, args) =>
      badPointer(args[1], c.number(args[2])) ?? count(receive(socket, c.number(args[2]), c.number(args[3]))),
  ),
  recvfrom: (c, args) => HANDLERS[c.any(args[0]) instanceof DatagramFile ? 'read' : 'recv'](c, args, NO_CALL),
  recvmsg: withStream((c, socket, args) => receiveMessage(c, socket, args[1], c.number(args[2]))),
  write: (c, args) => {
    const file = c.any(args[0]);
    if (isFailed(file)) return answer(file);
    if (file instanceof DatagramFile) return answer(file.send(c.number(args[2])));
    if (!(file instanceof StreamSocket)) return answer(failed('EINVAL'));
    return badPointer(args[1], c.number(args[2])) ?? send(c, file, c.number(args[2]), 0, undefined);
  },
  writev: withStream((c, socket, args) => send(c, socket, vectorLength(c, args[1]), 0, undefined)),
  send: withStream(
    (c, socket, args) =>
      badPointer(args[1], c.number(args[2])) ?? send(c, socket, c.number(args[2]), c.number(args[3]), undefined),
  ),
  sendto: (c, args) => {
    const file = c.any(args[0]);
    if (file instanceof DatagramFile) {
      const to = resolved(c.address(args[4], 'remote'));
      return answer(file.send(c.number(args[2]), to));
    }
    if (isFailed(file)) return answer(file);
    if (!(file instanceof StreamSocket)) return answer(failed('ENOTSOCK'));
    return badPointer(args[1], c.number(args[2])) ?? send(c, file, c.number(args[2]), c.number(args[3]), args[4]);
  },
  sendmsg: withStream((c, socket, args) => {
    const buffers = vectorSizes(c, field(args[1], 'msg_iov'));
    const stamps = stampsAsked(c, field(args[1], 'msg_control'));
    return send(c, socket, sum(buffers), c.number(args[2]), field(args[1], 'msg_name'), { buffers, stamps });
  }),
  open: (c, _args, call) => () => ({ result: c.open(new PlainFile(), call) }),
  pipe: (c, args) => {
    const made = new Pipe();
    const [ends] = args;
    if (ends?.kind !== 'list' || ends.items.length !== 2) throw new Unsupported('this kind of pipe is not known here');
    for (const end of ends.items) c.adopt(c.number(end), made);
    return answer(0);
  },
  splice: (c, args) => splice(c, args),
  unlink: () => answer(0),
  sendfile: withStream((c, socket, args) => send(c, socket, c.number(args[3]), 0, undefined)),
  close: (c, args) => {
    const fd = c.number(args[0], -1);
    const file = c.file(fd);
    if (file === undefined) return answer(failed('EBADF'));
    c.forget(fd);
    if (file instanceof StreamSocket) return mapped(file.close(c.now), result => ({ result }));
    if (file instanceof DatagramFile) file.close();
    return answer(0);
  },
  shutdown: withStream((c, socket, args) =>
    answer(socket.shutdown((['read', 'write', 'both'] as const)[c.number(args[1])] ?? 'both')),
  ),
  fcntl: (c, args) => {
    const file = c.any(args[0]);
    if (isFailed(file)) return answer(file);
    const nonBlocking = file instanceof Epoll ? false : file.nonBlocking;
    // Scripts give this answer as a number, which is another one on BSD.
    const bit = c.world_().profile === 'freebsd' ? BSD_O_NONBLOCK : SYMBOLS.O_NONBLOCK;
    if (c.number(args[1]) === SYMBOLS.F_GETFL) return answer(SYMBOLS.O_RDWR | (nonBlocking ? bit : 0));
    if (!(file instanceof Epoll)) file.nonBlocking = (c.number(args[2]) & SYMBOLS.O_NONBLOCK) !== 0;
    return answer(0);
  },
  ioctl: withStream((c, socket, args) => ioctl(c, socket, args)),
  setsockopt: (c, args) => {
    const file = c.any(args[0]);
    if (isFailed(file)) return answer(file);
    if (!(file instanceof StreamSocket)) return answer(0);
    if (isDropped(c, file, args[1])) return answer(failed('ECONNRESET'));
    return answer(setOption(c.world_(), file, c.values_().name(args[2]), optionValue(c, args[3])));
  },
  getsockopt: withStream((c, socket, args) => {
    const name = c.values_().name(args[2]);
    if (isDropped(c, socket, args[1])) return answer(failed('ECONNRESET'));
    if (name === 'TCP_INFO') return compareInfo(c, socket, args[3]);
    const value = getOption(c.world_(), socket, name);
    if (isFailed(value)) return answer(value);
    return () => ({ result: 0, complaint: complain(c, name, args[3], value) });
  }),
  poll,
  epoll_create: (c, _args, call) => () => ({ result: c.open(new Epoll(), call) }),
  epoll_create1: (c, _args, call) => () => ({ result: c.open(new Epoll(), call) }),
  epoll_ctl: (c, args) => answer(epollControl(c, args)),
  epoll_wait: epollWait,
  kqueue: () => {
    throw new Unsupported('kqueue is not here');
  },
  getsockname: () => answer(0),
  getpeername: withStream((_c, socket) => answer(socket.isConnected ? 0 : failed('ENOTCONN'))),
  usleep: () => answer(0),
};

const NO_CALL: SystemCall = { name: '', args: [], result: undefined };

/** On BSD a connection that has ended has no options of TCP's any more. */
const isDropped = (c: Calls, { endpoint }: StreamSocket, level: Expression): boolean =>
  endpoint?.state === 'CLOSED' && c.world_().profile === 'freebsd' && c.number(level) === SYMBOLS.IPPROTO_TCP;

/** A pointer that a script gives as a number is one that cannot be read from. */
function badPointer(pointer: Expression | undefined, length: number): Attempt<CallOutcome> | undefined {
  const isBad = pointer?.kind === 'number' || (pointer?.kind === 'symbol' && pointer.name === 'NULL');
  return isBad && length > 0 ? answer(failed('EFAULT')) : undefined;
}

function accept(c: Calls, socket: StreamSocket, flags: number, call: SystemCall): Attempt<CallOutcome> {
  return mapped(socket.accept(false), endpoint => {
    const made = new StreamSocket(c.stack);
    made.adopt(endpoint);
    for (const [name, value] of socket.flags) if (name.startsWith('SO_')) made.flags.set(name, value);
    made.zeroCopy = socket.zeroCopy;
    made.stamps = socket.stamps;
    made.reportsInq = socket.reportsInq;
    made.lingerSeconds = socket.lingerSeconds;
    made.receiveLowWater = socket.receiveLowWater;
    if (flags & SYMBOLS.SOCK_NONBLOCK) made.nonBlocking = true;
    return { result: c.open(made, call) };
  });
}

/** Between a socket and a pipe. */
function splice(c: Calls, args: Expression[]): Attempt<CallOutcome> {
  const from = c.any(args[0]);
  const to = c.any(args[2]);
  const length = c.number(args[4]);
  const dontWait = (c.number(args[5]) & SYMBOLS.SPLICE_F_NONBLOCK) !== 0;
  if (from instanceof StreamSocket && to instanceof Pipe) {
    const most = Math.min(length, to.room);
    if (most === 0) return answer(failed('EAGAIN'));
    return mapped(from.receive(most, { dontWait, stopAtMark: true }), bytes => {
      to.length += bytes.length;
      return { result: bytes.length };
    });
  }
  if (from instanceof Pipe && to instanceof StreamSocket) {
    const most = Math.min(length, from.length);
    if (most === 0) return answer(failed('EAGAIN'));
    return mapped(to.send(bytesOf(most), { dontWait }), taken => {
      from.length -= taken;
      return { result: taken };
    });
  }
  return answer(failed('EINVAL'));
}

function receiveMessage(
  c: Calls,
  socket: StreamSocket,
  message: Expression | undefined,
  flags: number,
): Attempt<CallOutcome> {
  const wanted = field(message, 'msg_control');
  if (flags & SYMBOLS.MSG_ERRQUEUE) {
    return () => {
      const notice = socket.errors.take();
      if (notice === undefined) return { result: -1, errno: 'EAGAIN' };
      return { result: 0, complaint: complainNotice(c, wanted, notice) };
    };
  }
  const length = vectorLength(c, field(message, 'msg_iov'));
  return mapped(receive(socket, length, flags), bytes => {
    const complaint = socket.reportsInq ? complainInq(c, socket, wanted) : undefined;
    return { result: bytes.length, complaint };
  });
}

function ioctl(c: Calls, socket: StreamSocket, args: Expression[]): Attempt<CallOutcome> {
  const request = c.number(args[1]);
  let value: number;
  const asksQueue = [SYMBOLS.SIOCINQ, SYMBOLS.SIOCOUTQ, SYMBOLS.SIOCOUTQNSD].includes(request);
  if (asksQueue && socket.listener !== undefined) return answer(failed('EINVAL'));
  if (request === SYMBOLS.SIOCINQ) {
    value = socket.endpoint === undefined ? 0 : socket.mark.ahead(socket.endpoint);
  } else if (request === SYMBOLS.SIOCATMARK) {
    value = socket.endpoint !== undefined && socket.mark.isNext(socket.endpoint) ? 1 : 0;
  } else if (request === SYMBOLS.SIOCOUTQ) value = outQueueOf(socket.endpoint).unacknowledged;
  else if (request === SYMBOLS.SIOCOUTQNSD) value = outQueueOf(socket.endpoint).unsent;
  else if (request === SYMBOLS.FIONWRITE) value = socket.endpoint?.connection.sender.queued ?? 0;
  else if (request === SYMBOLS.FIONSPACE) value = socket.endpoint?.connection.sender.room ?? 0;
  else if (request === SYMBOLS.FIONBIO) {
    socket.nonBlocking = optionValue(c, args[2]) !== 0;
    return answer(0);
  } else throw new Unsupported('this ioctl is not known here');
  return () => ({ result: 0, complaint: complain(c, 'the answer', args[2], value) });
}

function optionValue(c: Calls, expression: Expression | undefined): OptionValue {
  if (expression === undefined || expression.kind === 'any') return 0;
  if (expression.kind === 'list') return expression.items.length === 0 ? 0 : optionValue(c, expression.items[0]);
  if (expression.kind === 'string') return expression.value;
  if (expression.kind === 'struct') {
    return Object.fromEntries(expression.fields.map((f, i) => [f.name ?? String(i), optionValue(c, f.value)]));
  }
  return c.number(expression);
}

function complain(c: Calls, name: string, wanted: Expression | undefined, got: OptionValue): string | undefined {
  if (wanted === undefined || wanted.kind === 'any') return undefined;
  if (wanted.kind === 'list') return complain(c, name, wanted.items[0], got);
  if (wanted.kind === 'string') return wanted.value === got ? undefined : `${name} is '${got}'`;
  if (wanted.kind === 'struct' && typeof got === 'object') {
    for (const [index, f] of wanted.fields.entries()) {
      const value = got[f.name ?? Object.keys(got)[index]];
      const reason = value === undefined ? undefined : complain(c, `${name} ${f.name}`, f.value, value);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }
  const number = c.number(wanted);
  return number === got ? undefined : `${name} is ${got}`;
}

function compareInfo(c: Calls, socket: StreamSocket, wanted: Expression | undefined): Attempt<CallOutcome> {
  const { endpoint, listener } = socket;
  if (wanted?.kind !== 'struct') return answer(0);
  const { profile } = c.world_();
  const fields = endpoint === undefined ? unconnectedFields(listener, profile) : infoFields(endpoint.info(), profile);
  return () => {
    for (const { name, value } of wanted.fields) {
      if (name === undefined || value.kind === 'any') continue;
      const got = fields[name];
      if (got === undefined) throw new Unsupported(`TCP_INFO's ${name} is not known here`);
      if (c.number(value) !== got) return { result: 0, complaint: `${name} is ${got}` };
    }
    return { result: 0 };
  };
}
