/** A server and raw or real clients on two hosts. */

import { HttpClient } from '../../src/application/http1/client.ts';
import { HttpServer, type RequestHandler, type ServerOptions } from '../../src/application/http1/server.ts';
import { concat, fromLatin1, latin1 } from '../../src/base/bytes.ts';
import { seconds } from '../../src/base/instant.ts';
import { zlibCodings } from '../../src/node/zlib.ts';
import { wallClock } from '../../src/sim/epoch.ts';
import { TestWorld } from './world.ts';

export class HttpWorld extends TestWorld {
  readonly hosts = this.pair();
  readonly server: HttpServer;
  readonly client: HttpClient;

  constructor(handler: RequestHandler, options: Partial<ServerOptions> = {}) {
    super();
    this.server = new HttpServer(handler, {
      scheduler: this.clock,
      date: () => wallClock(this.clock.now()),
      ...options,
    });
    this.server.listen(this.hosts.b.network, 80);
    const names = { lookup: async () => ['10.0.0.2'] };
    this.client = new HttpClient(this.hosts.a.context, this.hosts.a.network, names, { codings: zlibCodings });
  }

  /** Sends bytes as they are, a piece every millisecond, and answers all that comes back until the server closes or nothing more comes. */
  async raw(...pieces: string[]): Promise<string> {
    const got: Uint8Array[] = [];
    const { network } = this.hosts.a;
    const socket = network.connect(
      { address: '10.0.0.2', port: 80 },
      {
        connected: () =>
          pieces.forEach((piece, n) => {
            this.clock.at(this.clock.now() + n * 1e6, () => void socket.write(fromLatin1(piece)));
          }),
        data: bytes => void got.push(bytes.slice()),
        end: () => socket.destroy(),
        error: () => {},
        closed: () => {},
      },
    );
    await this.clock.run(() => false, this.clock.now() + seconds(10));
    socket.destroy();
    return latin1(concat(got.length === 0 ? [new Uint8Array(0)] : got));
  }
}
