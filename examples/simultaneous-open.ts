/** RFC 9293 §3.5, figure 7: both ends open at once, each in SYN_SENT when the other's SYN comes. One connection results. */
import { seconds } from '../src/index.ts';
import { Stage } from './stage.ts';

const stage = new Stage();
stage.connect(stage.client, '10.0.0.2', 2000, 1000);
stage.connect(stage.server, '10.0.0.1', 1000, 2000);
stage.run(seconds(1));
stage.tell('Simultaneous open: two SYNs cross, and nobody was listening');
