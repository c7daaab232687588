/** Small worlds for tests: a clock, a seed, a record of all that happens, and hosts on cables. */
import { type Random, seededRandom } from '../../src/base/random.ts';
import { Host, type HostOptions } from '../../src/host/host.ts';
import { Cable, type CableOptions } from '../../src/link/cable.ts';
import { VirtualClock } from '../../src/sim/clock.ts';
import type { TraceEvent } from '../../src/trace/events.ts';
import { Recorder } from '../../src/trace/recorder.ts';

export class TestWorld {
  readonly clock = new VirtualClock();
  readonly scheduler = this.clock;
  readonly recorder = new Recorder();
  readonly trace = this.recorder.sink;
  readonly random: Random;

  constructor(seed: number | string = 1) {
    this.random = seededRandom(seed);
  }

  host(name: string, options?: HostOptions): Host {
    return new Host(this, name, options);
  }

  cable(name: string, options: Partial<CableOptions> = {}, ends?: [string, string]): Cable {
    return new Cable(name, options, this, ends);
  }

  /** Two hosts, 10.0.0.1 and 10.0.0.2, on one cable. */
  pair(
    options: Partial<CableOptions> = {},
    a: HostOptions = {},
    b: HostOptions = {},
  ): { a: Host; b: Host; cable: Cable } {
    const cable = this.cable('a:b', options, ['a', 'b']);
    const hosts = { a: this.host('a', a), b: this.host('b', b) };
    hosts.a.attach(cable.a, '10.0.0.1/24');
    hosts.b.attach(cable.b, '10.0.0.2/24');
    return { ...hosts, cable };
  }

  /** A host, a router and a host: 10.0.1.2 - 10.0.1.1 | 10.0.2.1 - 10.0.2.2. */
  line(
    left: Partial<CableOptions> = {},
    right: Partial<CableOptions> = {},
  ): { a: Host; r: Host; b: Host; left: Cable; right: Cable } {
    const cables = { left: this.cable('a:r', left, ['a', 'r']), right: this.cable('r:b', right, ['r', 'b']) };
    const [a, r, b] = [this.host('a'), this.host('r', { router: true }), this.host('b')];
    a.attach(cables.left.a, '10.0.1.2/24');
    r.attach(cables.left.b, '10.0.1.1/24');
    r.attach(cables.right.a, '10.0.2.1/24');
    b.attach(cables.right.b, '10.0.2.2/24');
    a.route('default', '10.0.1.1');
    b.route('default', '10.0.2.1');
    return { a, r, b, ...cables };
  }

  events<K extends TraceEvent['kind']>(kind: K, host?: string): Extract<TraceEvent, { kind: K }>[] {
    const all = this.recorder.events.filter(e => e.kind === kind) as Extract<TraceEvent, { kind: K }>[];
    return host === undefined ? all : all.filter(e => e.host === host);
  }

  drops(host: string): string[] {
    return this.events('drop', host).map(e => e.reason);
  }
}
