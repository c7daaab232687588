/** A host of ours on a TAP device of this machine: the glass opened. */
import { randomBytes } from 'node:crypto';
import { seededRandom } from '../base/random.ts';
import { Host } from '../host/host.ts';
import { withFaults } from '../link/faults.ts';
import type { Link } from '../link/types.ts';
import { RealClock } from '../node/real-clock.ts';
import { openTap, type TapLink } from '../node/tap/link.ts';
import type { Trace } from '../trace/events.ts';
import { inPrefix, parsePrefix } from '../wire/address.ts';
import { inPrefix6, parsePrefix6 } from '../wire/address6.ts';
import { parseIp } from '../wire/ip-address.ts';
import { type Flag, type Parsed, parseNumber, UsageError } from './arguments.ts';
import { parseFaults } from './faults.ts';

export const TAP_HOST_FLAGS: Record<string, Flag> = {
  tap: { type: 'string' },
  address: { type: 'string' },
  gateway: { type: 'string' },
  mtu: { type: 'string' },
  offload: { type: 'boolean' },
  loss: { type: 'string' },
  delay: { type: 'string' },
  reorder: { type: 'string' },
};

export interface TapHost {
  host: Host;
  clock: RealClock;
  link: TapLink;
  close(): void;
}

/** Throws UsageError for wrong flags, TapError for what the system refuses. */
export function openTapHost(args: Parsed, name: string, trace?: Trace): TapHost {
  const address = args.text('address');
  if (address === undefined) throw new UsageError('--tap needs --address, like 10.9.0.2/24 or fd00:9::2/64');
  const gateway = args.text('gateway');
  checkAddresses(address, gateway);
  const mtu = args.text('mtu');
  const link = openTap(args.text('tap') as string, { offload: args.is('offload') });
  const clock = new RealClock();
  const random = seededRandom(randomBytes(16).toString('hex'));
  const host = new Host({ scheduler: clock, random, trace }, name);
  const faults = parseFaults(args);
  const bad = faults === undefined ? link : withFaults(faults, { scheduler: clock, random })(link);
  const attached = mtu === undefined ? bad : smaller(bad, parseNumber('--mtu', mtu, 576, link.mtu));
  join(host, traced(attached, name, clock, trace), address);
  if (gateway !== undefined) host.route('default', gateway);
  const close = (): void => {
    clock.stop();
    link.close();
  };
  return { host, clock, link, close };
}

/** Throws UsageError. Both are of one version, and the gateway is on the address's network. */
function checkAddresses(address: string, gateway: string | undefined): void {
  const [own, own6] = [parsePrefix(address), parsePrefix6(address)];
  if (own === undefined && own6 === undefined) {
    const like = 'like 10.9.0.2/24 or fd00:9::2/64';
    throw new UsageError(`--address takes an address with a prefix length, ${like}, not '${address}'`);
  }
  const via = gateway === undefined ? undefined : parseIp(gateway);
  const reaches =
    own !== undefined
      ? typeof via === 'number' && inPrefix(via, own)
      : typeof via === 'string' && own6 !== undefined && inPrefix6(via, own6);
  if (gateway !== undefined && !reaches)
    throw new UsageError(`--gateway takes an address on the network of ${address}, not '${gateway}'`);
}

/** Attaches the link, and tells the neighbours who is there now. */
function join(host: Host, link: Link, address: string): void {
  const own = parsePrefix(address);
  const made = host.attach(link, own === undefined ? undefined : address);
  if (own === undefined) host.enableIpv6(made, address);
  else made.arp.announce(own.address);
}

/** A Link that tells the trace of every frame, both ways. */
function traced(inner: Link, host: string, clock: RealClock, trace: Trace | undefined): Link {
  if (trace === undefined) return inner;
  const wrapped: Link = {
    name: inner.name,
    medium: inner.medium,
    mtu: inner.mtu,
    offloads: inner.offloads,
    receive: () => {},
    send: (frame, unit) => {
      tell(host, 'kernel', frame);
      inner.send(frame, unit);
    },
  };
  const tell = (from: string, to: string, bytes: Uint8Array): void =>
    trace({
      kind: 'frame',
      time: clock.now(),
      link: `${host}:${inner.name}`,
      host: from,
      to,
      bytes,
      fate: 'delivered',
    });
  inner.batch = begins => wrapped.batch?.(begins);
  inner.receive = (frame, unit) => {
    tell('kernel', host, frame);
    wrapped.receive(frame, unit);
  };
  return wrapped;
}

function smaller(inner: Link, mtu: number): Link {
  const wrapped: Link = {
    name: inner.name,
    medium: inner.medium,
    mtu,
    offloads: inner.offloads,
    receive: () => {},
    send: (frame, unit) => inner.send(frame, unit),
  };
  inner.batch = begins => wrapped.batch?.(begins);
  inner.receive = (frame, unit) => wrapped.receive(frame, unit);
  return wrapped;
}
