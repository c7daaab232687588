/** RFC 9293 §3.6, figure 13: both ends close at once, by way of CLOSING; both wait 2 MSL. */
import { minutes, ms } from '../src/index.ts';
import { Stage } from './stage.ts';

const stage = new Stage();
const listener = stage.server.tcp.listen({ port: 80 });
const client = stage.connect(stage.client, '10.0.0.2', 80);
stage.run(ms(100));
client.close();
listener?.accept()?.close();
stage.run(minutes(5));
stage.tell('Simultaneous close: two FINs cross');
