/**
 * RFC 4987: a flood of SYNs from addresses that do not exist fills the backlog; with SYN cookies an honest client is
 * served all the same, without the server remembering its SYN.
 */

import { finishChecksum, sumWords } from '../src/base/checksum.ts';
import { ms, seconds } from '../src/index.ts';
import { ip } from '../src/wire/address.ts';
import { addressSum } from '../src/wire/ip-address.ts';
import { PROTOCOL } from '../src/wire/ipv4.ts';
import { HEADROOM, Packet } from '../src/wire/packet.ts';
import { prependTcp, Segment, SYN, tcp } from '../src/wire/tcp.ts';
import { tcpOptionsLength } from '../src/wire/tcp-options.ts';
import { Stage } from './stage.ts';

const FLOOD = 5000;
const stage = new Stage();
const listener = stage.server.tcp.listen({ port: 80, backlog: 128 });
if (listener === undefined) throw new Error('port 80 is taken');
listener.onConnection = endpoint => {
  endpoint.user = {
    tcpEvent(event) {
      if (event.type !== 'readable') return;
      const question = new TextDecoder().decode(endpoint.read());
      endpoint.write(new TextEncoder().encode(`you said '${question}'`));
    },
  };
};

/** A SYN from an address and port that nobody has. */
function forgedSyn(n: number): void {
  const segment = new Segment();
  segment.sourcePort = 1024 + (n % 60_000);
  segment.destinationPort = 80;
  segment.seq = stage.random.u32();
  segment.flags = SYN;
  segment.window = 65535;
  segment.mss = 1460;
  const source = ip('10.0.0.100') + (n % 100);
  const length = tcp.size + tcpOptionsLength(segment);
  const packet = Packet.withHeadroom(HEADROOM + length, 0);
  prependTcp(packet, segment, length);
  const sum = addressSum(source) + addressSum(ip('10.0.0.2')) + PROTOCOL.tcp + length;
  tcp.f.checksum.set(packet.bytes, packet.start, finishChecksum(sumWords(packet.bytes, packet.start, packet.end, sum)));
  stage.client.ip.send({ packet, source, destination: ip('10.0.0.2'), protocol: PROTOCOL.tcp });
}

for (let n = 0; n < FLOOD; n++) stage.clock.at(ms(n * 0.1), () => forgedSyn(n));
stage.run(ms(FLOOD * 0.1));
const cookies = listener.cookiesSent;
const flooded = `${FLOOD} forged SYNs: ${listener.halfOpenCount} half-open connections, ${cookies} cookies`;

// The flood goes on while an honest client comes.
stage.recorder.events.length = 0;
const client = stage.connect(stage.client, '10.0.0.2', 80);
stage.run(stage.clock.now() + ms(100));
client.write(new TextEncoder().encode('hello'));
stage.run(stage.clock.now() + ms(200));
const answer = new TextDecoder().decode(client.read());
stage.recorder.events.splice(
  0,
  stage.recorder.events.length,
  ...stage.recorder.events.filter(e => e.kind !== 'decision' || e.decision === 'syn-cookie'),
);
stage.tell(`A SYN flood: ${flooded}; an honest client comes`);
console.log(`the server answers: ${answer}`);
stage.run(stage.clock.now() + seconds(400));
console.log(`after the flood: ${listener.halfOpenCount} half-open connections`);
