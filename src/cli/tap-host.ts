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
  const addresses = addressesIn(args.text('address'));
  const gateways = gatewaysIn(args.text('gateway'), addresses);
  const mtu = args.text('mtu');
  const link = openTap(args.text('tap') as string, { offload: args.is('offload') });
  const clock = new RealClock();
  const random = seededRandom(randomBytes(16).toString('hex'));
  const host = new Host({ scheduler: clock, random, trace }, name);
  const faults = parseFaults(args);
  const bad = faults === undefined ? link : withFaults(faults, { scheduler: clock, random })(link);
  const attached = mtu === undefined ? bad : smaller(bad, parseNumber('--mtu', mtu, 576, link.mtu));
  join(host, traced(attached, name, clock, trace), addresses);
  for (const gateway of gateways) host.route('default', gateway);
  const close = (): void => {
    clock.stop();
    link.close();
  };
  return { host, clock, link, close };
}

const LIKE = 'like 10.9.0.2/24 or fd00:9::2/64, or one of each with a comma between them';

/** One of either version, or of both. Throws UsageError. */
function addressesIn(text: string | undefined): string[] {
  if (text === undefined) throw new UsageError(`--tap needs --address, ${LIKE}`);
  const addresses = text.split(',');
  for (const address of addresses) {
    if (parsePrefix(address) === undefined && parsePrefix6(address) === undefined) {
      throw new UsageError(`--address takes an address with a prefix length, ${LIKE}, not '${address}'`);
    }
  }
  return addresses;
}

/** Each is on the network of an address of ours. Throws UsageError. */
function gatewaysIn(text: string | undefined, addresses: readonly string[]): string[] {
  const gateways = text?.split(',') ?? [];
  for (const gateway of gateways) {
    if (!addresses.some(address => reaches(address, gateway)))
      throw new UsageError(`--gateway takes an address on the network of ${addresses.join(' or ')}, not '${gateway}'`);
  }
  return gateways;
}

function reaches(address: string, gateway: string): boolean {
  const [own, own6, via] = [parsePrefix(address), parsePrefix6(address), parseIp(gateway)];
  if (typeof via === 'number') return own !== undefined && inPrefix(via, own);
  return via !== undefined && own6 !== undefined && inPrefix6(via, own6);
}

/** Attaches the link, and tells the neighbours who is there now; that somebody is there already is told here. */
function join(host: Host, link: Link, addresses: readonly string[]): void {
  host.ip6.onDuplicate = address =>
    void process.stderr.write(`netarium: somebody else has ${address}: it is ours no more (RFC 4862 §5.4.5)\n`);
  const made = host.attach(link, addresses);
  for (const own of made.addresses) made.arp.announce(own.address);
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
