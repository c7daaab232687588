/**
 * The groups of one interface, and what routers and switches of its link are told of them: the listener's part of
 * MLDv2 (RFC 3810), without sources, as nobody here names any.
 */
import { type Duration, ms } from '../base/instant.ts';
import type { Random } from '../base/random.ts';
import type { Scheduler } from '../base/scheduler.ts';
import { ALL_NODES } from '../wire/address6.ts';
import { ICMPV6, type Icmpv6Message } from '../wire/icmpv6.ts';
import { addressBytes, type Ipv6Address, ipv6At } from '../wire/ip-address.ts';
import { joined } from '../wire/ndp.ts';

/** RFC 3810 §5.2.12. */
const RECORD = { isExcluding: 2, joins: 4, leaves: 3 } as const;
/** RFC 3810 §9.1, §9.11: what is lost once is said once more, after so many milliseconds at the most. */
const ROBUSTNESS = 2;
const REPEAT = 1000;

export class MulticastListener {
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private readonly report: (message: Icmpv6Message) => void;
  /** How many want each. */
  private readonly groups = new Map<Ipv6Address, number>();
  private answering = false;

  constructor(scheduler: Scheduler, random: Random, report: (message: Icmpv6Message) => void) {
    this.scheduler = scheduler;
    this.random = random;
    this.report = report;
  }

  has(group: Ipv6Address): boolean {
    return group === ALL_NODES || this.groups.has(group);
  }

  join(group: Ipv6Address): void {
    const wanted = this.groups.get(group) ?? 0;
    this.groups.set(group, wanted + 1);
    if (wanted === 0) this.changed(group);
  }

  leave(group: Ipv6Address): void {
    const wanted = this.groups.get(group);
    if (wanted === undefined) return;
    if (wanted > 1) this.groups.set(group, wanted - 1);
    else {
      this.groups.delete(group);
      this.changed(group);
    }
  }

  /** RFC 3810 §6.1: a state change report, and again. §6: of all nodes and of a node's own groups nobody speaks. */
  private changed(group: Ipv6Address): void {
    if (!isReported(group)) return;
    const tell = (left: number): void => {
      this.tell([[this.groups.has(group) ? RECORD.joins : RECORD.leaves, group]]);
      if (left > 1) this.after(ms(1 + this.random.below(REPEAT)), () => tell(left - 1));
    };
    tell(ROBUSTNESS);
  }

  /** RFC 3810 §5.1, §6.2: after a random part of the time that the query leaves; one answer for all that ask meanwhile. */
  queried({ rest, body }: Icmpv6Message): void {
    if (body.length < 16 || this.answering) return;
    const group = ipv6At(body, 0);
    this.answering = true;
    this.after(ms(this.random.below(Math.max(1, responseDelay(rest >>> 16)))), () => {
      this.answering = false;
      const asked = group === '::' ? [...this.groups.keys()] : this.groups.has(group) ? [group] : [];
      const records = asked.filter(isReported).map(each => [RECORD.isExcluding, each] as const);
      if (records.length > 0) this.tell(records);
    });
  }

  private tell(records: readonly (readonly [number, Ipv6Address])[]): void {
    const parts = records.flatMap(([type, group]) => [Uint8Array.of(type, 0, 0, 0), addressBytes(group)]);
    this.report({ type: ICMPV6.listenerReport, code: 0, rest: records.length, body: joined(parts) });
  }

  private after(duration: Duration, run: () => void): void {
    this.scheduler.at(this.scheduler.now() + duration, run);
  }
}

/** RFC 3810 §6: not of ff02::1, nor of groups that do not leave the node (scope 1) or are reserved (0). */
function isReported(group: Ipv6Address): boolean {
  return group !== ALL_NODES && (addressBytes(group)[1] & 15) > 1;
}

/** RFC 3810 §5.1.3: milliseconds, in a floating point of its own from 32,768 on. */
function responseDelay(code: number): number {
  return code < 32768 ? code : ((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3);
}
