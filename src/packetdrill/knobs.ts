/** What the kernels' knobs have in common: how their values are read, and what one does to the host under test. */
import type { TcpLayer } from '../transport/tcp/layer.ts';
import { CONGESTION_CONTROLS } from '../transport/tcp/profiles.ts';
import type { EcnMode, TcpSettings } from '../transport/tcp/types.ts';

/** What was set before, by name: some knobs count only together. */
export type Past = ReadonlyMap<string, string>;
export type Change = (tcp: TcpLayer, value: string, past: Past) => Partial<TcpSettings> | 'unknown';

/** Those of one kernel. A name that is nowhere is not understood. */
export interface Knobs {
  /** What all names begin with. */
  readonly prefix: RegExp;
  readonly changes: Readonly<Record<string, Change>>;
  /** Those that are as here when they have these values; with another one a script says nothing of us. */
  readonly asItIs: Readonly<Record<string, number>>;
  /** Knobs of memory, logging and the like, which have nothing to turn here. */
  readonly withoutEffect: RegExp;
}

export const numberOf = (value: string): number => Number(value.trim().split(/\s+/)[0]);
export const on = (value: string): boolean => numberOf(value) !== 0;

export const ECN_MODES: Record<string, EcnMode> = {
  0: 'off',
  1: 'on',
  2: 'passive',
  3: 'accurate',
  4: 'accurate-on',
  5: 'accurate-passive',
};

export function congestion(system: keyof typeof CONGESTION_CONTROLS): Change {
  return (_, value) => {
    const known = CONGESTION_CONTROLS[system] as Record<string, TcpSettings['congestionControl']>;
    const congestionControl = known[value.trim()];
    return congestionControl === undefined ? 'unknown' : { congestionControl };
  };
}

export function probing(tcp: TcpLayer, change: Partial<TcpSettings['mtuProbing']>): Partial<TcpSettings> {
  return { mtuProbing: { ...tcp.settings.mtuProbing, ...change } };
}

export function keepAlive(tcp: TcpLayer, change: Partial<NonNullable<TcpSettings['keepAlive']>>): Partial<TcpSettings> {
  tcp.keepAliveDefaults = { ...tcp.keepAliveDefaults, ...change };
  return {};
}
