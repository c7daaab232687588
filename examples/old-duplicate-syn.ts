/**
 * RFC 9293 §3.5, figure 8: why there are three segments in a handshake. A SYN of a connection long given up wanders
 * through the network and arrives before the new one. Two would do if the network forgot; the RST undoes the damage.
 */
import { type Frame, ms, seconds } from '../src/index.ts';
import { Stage } from './stage.ts';

const stage = new Stage();
stage.server.tcp.listen({ port: 80 });

// The first SYN gets stuck somewhere ...
const deliver = stage.cable.b.receive;
let old: Frame | undefined;
stage.cable.b.receive = frame => {
  old = frame;
};
const first = stage.connect(stage.client, '10.0.0.2', 80, 50_000);
stage.run(ms(500));
first.abort();

// ... and arrives before the SYN of the next connection, which has the same two ports and takes its time.
let slow = true;
stage.cable.b.receive = frame => {
  if (!slow) return deliver(frame);
  slow = false;
  stage.clock.at(stage.clock.now() + ms(50), () => deliver(frame));
};
stage.clock.at(seconds(10), () => stage.connect(stage.client, '10.0.0.2', 80, 50_000));
stage.clock.at(seconds(10) + ms(1), () => {
  if (old !== undefined) deliver(old);
});
stage.run(seconds(20));
stage.tell('An old duplicate SYN: the SYN+ACK for it acknowledges what was never sent, and is answered with a RST');
