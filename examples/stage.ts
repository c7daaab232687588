/** The stage of the examples: a client and a server on one cable of 10 ms, where chosen segments can be lost. */
import {
  Cable,
  connectionStories,
  formatDuration,
  Host,
  type Instant,
  ladder,
  ms,
  Recorder,
  seededRandom,
  type TcpEndpoint,
  type TcpSettings,
  VirtualClock,
} from '../src/index.ts';
import { ip } from '../src/wire/address.ts';
import { ethernet } from '../src/wire/ethernet.ts';
import { decodeTcp, Segment } from '../src/wire/tcp.ts';

const IP_HEADER = 20;

export class Stage {
  readonly clock = new VirtualClock();
  readonly scheduler = this.clock;
  readonly recorder = new Recorder();
  readonly trace = this.recorder.sink;
  readonly random = seededRandom('example');
  readonly cable: Cable;
  readonly client: Host;
  readonly server: Host;

  constructor(tcp: Partial<TcpSettings> = {}) {
    this.cable = new Cable('client:server', { delay: ms(10) }, this, ['client', 'server']);
    this.client = new Host(this, 'client', { tcp });
    this.server = new Host(this, 'server', { tcp });
    const a = this.client.attach(this.cable.a, '10.0.0.1/24');
    const b = this.server.attach(this.cable.b, '10.0.0.2/24');
    // The story is TCP's: nobody needs to ask for addresses.
    a.arp.set(ip('10.0.0.2'), b.mac, true);
    b.arp.set(ip('10.0.0.1'), a.mac, true);
  }

  /** Opens a connection, from a port of one's own choice if it matters. */
  connect(from: Host, to: string, remotePort: number, localPort?: number): TcpEndpoint {
    const endpoint = from.tcp.connect({ remoteAddress: ip(to), remotePort, localPort });
    if (typeof endpoint === 'string') throw new Error(endpoint);
    endpoint.open();
    return endpoint;
  }

  /** Segments towards `to` for which `lost` says so do not arrive. */
  lose(to: 'client' | 'server', lost: (segment: Segment) => boolean): void {
    const end = to === 'client' ? this.cable.a : this.cable.b;
    const deliver = end.receive;
    end.receive = frame => {
      const segment = decodeTcp(frame, ethernet.size + IP_HEADER);
      if (!(segment instanceof Segment && lost(segment))) deliver(frame);
    };
  }

  run(until: Instant): void {
    this.clock.runSync(until);
  }

  /** Prints the client's connections as ladders, and what both machines decided. */
  tell(title: string): void {
    const { events } = this.recorder;
    const lines = [title, ''];
    for (const story of connectionStories(events, 'client')) {
      lines.push(`${' '.repeat(10)}${'client'.padEnd(59)}server`);
      lines.push(...ladder(story, story.rows, { origin: story.openedAt }));
      lines.push('', `client: ${story.states.client.join(' → ')}`, `server: ${story.states.server.join(' → ')}`, '');
    }
    const decisions = events.filter(event => event.kind === 'decision');
    const shown = decisions.slice(0, 8);
    for (const { time, host, decision, why } of shown)
      lines.push(`${formatDuration(time)} ${host}: ${decision}: ${why}`);
    if (decisions.length > shown.length) lines.push(`... and ${decisions.length - shown.length} more such decisions`);
    console.log(lines.join('\n').trimEnd());
  }
}
