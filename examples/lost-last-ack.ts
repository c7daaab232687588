/** RFC 9293 §3.6: why TIME_WAIT is there. The last ACK is lost, the FIN comes again, and somebody must still be there. */
import { minutes, ms } from '../src/index.ts';
import { ACK, FIN, SYN } from '../src/wire/tcp.ts';
import { Stage } from './stage.ts';

const stage = new Stage();
const listener = stage.server.tcp.listen({ port: 80 });
const client = stage.connect(stage.client, '10.0.0.2', 80);
stage.run(ms(100));
const server = listener?.accept();
if (server === undefined) throw new Error('no connection');
server.user = {
  tcpEvent(event) {
    if (event.type === 'end') server.close();
  },
};
// Of the ACKs after both FINs, the first is lost.
let losses = 0;
stage.lose(
  'server',
  segment => segment.has(ACK) && !segment.has(FIN | SYN) && server.state === 'LAST_ACK' && losses++ === 0,
);
client.close();
stage.run(minutes(6));
stage.tell('A lost last ACK: the FIN is sent again, TIME_WAIT answers and starts its 2 MSL anew');
