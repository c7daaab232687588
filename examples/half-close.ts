/** RFC 9293 §3.6: the client has said all it has to say; the server goes on for a while. */
import { minutes, ms } from '../src/index.ts';
import { Stage } from './stage.ts';

const stage = new Stage();
const listener = stage.server.tcp.listen({ port: 80 });
const client = stage.connect(stage.client, '10.0.0.2', 80);
stage.run(ms(100));
const server = listener?.accept();
client.write(new TextEncoder().encode('the question, and that is all'));
client.close();
stage.run(ms(200));
server?.read();
for (let n = 1; n <= 3; n++) {
  server?.write(new TextEncoder().encode(`part ${n} of a long answer`));
  stage.run(ms(200 + n * 100));
  client.read();
}
server?.close();
stage.run(minutes(5));
stage.tell('Half-close: data still flows one way after the FIN of the other');
