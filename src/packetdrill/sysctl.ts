/** The kernels' knobs, set on the host under test. A name that is not known is not understood. */
import { FREEBSD_KNOBS } from './freebsd-knobs.ts';
import { type Knobs, numberOf } from './knobs.ts';
import { LINUX_KNOBS } from './linux-knobs.ts';
import type { World } from './world.ts';

/** What lies beside or below TCP, or is about other stacks that are chosen by name. */
const WITHOUT_EFFECT_ELSEWHERE =
  /^(net\.core\.|net\.ipv[46]\.(conf|neigh|route)\.|kern\.|vm\.|hw\.|net\.ipv6\.|net\.inet6?\.(ip6?|icmp6?|udp)\.|net\.inet\.tcp\.(rack|bbr|lro|pacing)\.)/;

/** What holds for connections that are there already, as Linux looks at it anew each time. */
const AT_ONCE =
  /tcp_(ecn_option|ecn_option_beacon|ecn_fallback|early_retrans|frto|tso_win_divisor|min_tso_segs|slow_start_after_idle|pacing_\w+|dsack|retries2|thin_linear_timeouts|orphan_retries|max_reordering|comp_sack_nr|invalid_ratelimit|rfc1337|shrink_window|moderate_rcvbuf)$/;

/** False: the knob is not known. */
export function applySysctl(world: World, name: string, value: string): boolean {
  const full = name.replace(/^\/proc\/sys\//, '').replaceAll('/', '.');
  const knobs = [LINUX_KNOBS, FREEBSD_KNOBS].find(({ prefix }) => prefix.test(full));
  const short = knobs === undefined ? full : full.replace(knobs.prefix, '');
  const change = knobs?.changes[short];
  if (change === undefined) {
    return WITHOUT_EFFECT_ELSEWHERE.test(full) || (knobs !== undefined && isIdle(knobs, short, value));
  }
  const { tcp } = world.host;
  const settings = change(tcp, value, world.knobs);
  if (settings === 'unknown') return false;
  world.knobs.set(short, value);
  if (AT_ONCE.test(full)) for (const { connection } of tcp.connections()) Object.assign(connection.settings, settings);
  tcp.settings = { ...tcp.settings, ...settings };
  return true;
}

/** It has nothing to turn here, or is as it is here anyway. */
function isIdle({ asItIs, withoutEffect }: Knobs, name: string, value: string): boolean {
  return withoutEffect.test(name) || asItIs[name] === numberOf(value);
}
