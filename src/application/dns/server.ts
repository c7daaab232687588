/** A DNS server's two doors, UDP and TCP on port 53 (RFC 7766), and what is common to all answers. */
import { concat } from '../../base/bytes.ts';
import { seconds } from '../../base/instant.ts';
import type { ByteSocket, Datagram, DatagramSocket, Listener, Network, SocketHandler } from '../../socket/types.ts';
import type { Context } from '../../trace/events.ts';
import { decodeDns, encodeDns } from '../../wire/dns.ts';
import { type DnsMessage, RCODE } from '../../wire/dns-types.ts';
import { Malformed } from '../../wire/reader.ts';
import { DNS_PORT, EDNS_SIZE, edns, framed, unframe } from './client.ts';

/** Fills in the sections of a prepared response. May answer later; must not reject. */
export type DnsHandler = (query: DnsMessage, response: DnsMessage) => void | Promise<void>;

export interface DnsServerOptions {
  /** The largest UDP answer, whatever a client offers. */
  maxUdp?: number;
  /** Queries being answered at a time; more are refused. */
  maxPending?: number;
}

const MAX_TCP_CONNECTIONS = 100;

export class DnsServer {
  private readonly context: Context;
  private readonly handler: DnsHandler;
  private readonly options: Required<DnsServerOptions>;
  private readonly socket: DatagramSocket;
  private readonly listener: Listener;
  private pending = 0;
  private connections = 0;

  constructor(context: Context, network: Network, handler: DnsHandler, options: DnsServerOptions = {}) {
    this.context = context;
    this.handler = handler;
    this.options = { maxUdp: EDNS_SIZE, maxPending: 1000, ...options };
    this.socket = network.datagram(
      { port: DNS_PORT },
      { message: datagram => void this.overUdp(datagram), error: () => {} },
    );
    this.listener = network.listen({ port: DNS_PORT }, socket => this.overTcp(socket));
  }

  close(): void {
    this.socket.close();
    this.listener.close();
  }

  private async overUdp({ from, bytes }: Datagram): Promise<void> {
    const response = await this.answer(bytes);
    if (response === undefined) return;
    const limit = Math.min(Math.max(512, response.limit), this.options.maxUdp);
    let encoded = encodeDns(response.message);
    if (encoded.length > limit) {
      // RFC 2181 §9: TC says that what is there is not all; an empty answer leaves no doubt.
      encoded = encodeDns({ ...response.message, truncated: true, answers: [], authorities: [], additionals: [] });
    }
    this.socket.send(encoded, from);
  }

  private overTcp(socket: ByteSocket): SocketHandler {
    const { scheduler } = this.context;
    if (this.connections >= MAX_TCP_CONNECTIONS) {
      socket.reset();
      return { data() {}, end() {}, error() {}, closed() {} };
    }
    this.connections++;
    let received: Uint8Array = new Uint8Array(0);
    const idle = (): ReturnType<typeof scheduler.at> =>
      scheduler.at(scheduler.now() + seconds(10), () => socket.destroy());
    let timer = idle();
    return {
      data: bytes => {
        timer.cancel();
        timer = idle();
        received = concat([received, bytes]);
        for (let message = unframe(received); message !== undefined; message = unframe(received)) {
          received = received.subarray(message.length + 2);
          void this.answer(message).then(response => {
            if (response !== undefined) sendWhole(socket, framed(encodeDns(response.message)));
          });
        }
      },
      end: () => socket.end(),
      error: () => {},
      closed: () => {
        timer.cancel();
        this.connections--;
      },
    };
  }

  /** Undefined: nothing is said to what is no query, lest two servers talk for ever. */
  private async answer(bytes: Uint8Array): Promise<{ message: DnsMessage; limit: number } | undefined> {
    const query = decodeDns(bytes);
    if (query instanceof Malformed) {
      this.context.drop('dns', 'dns-malformed');
      return bytes.length < 12 || bytes[2] & 0x80 ? undefined : { message: formatError(bytes), limit: 512 };
    }
    if (query.response) return undefined;
    const message: DnsMessage = {
      ...query,
      response: true,
      authoritative: false,
      truncated: false,
      recursionAvailable: false,
      rcode: RCODE.NOERROR,
      answers: [],
      authorities: [],
      additionals: [],
      edns: query.edns === undefined ? undefined : edns(),
    };
    if (query.opcode !== 0) message.rcode = RCODE.NOTIMP;
    else if (query.questions.length !== 1) message.rcode = RCODE.FORMERR;
    else if (this.pending >= this.options.maxPending) message.rcode = RCODE.REFUSED;
    else await this.handle(query, message);
    return { message, limit: query.edns?.udpPayloadSize ?? 512 };
  }

  private async handle(query: DnsMessage, message: DnsMessage): Promise<void> {
    this.pending++;
    try {
      await this.handler(query, message);
    } finally {
      this.pending--;
    }
  }
}

/** A client that asks and does not read what it is told has used up its welcome. */
function sendWhole(socket: ByteSocket, bytes: Uint8Array): void {
  if (socket.write(bytes) < bytes.length) socket.reset();
}

/** RFC 1035 §4.1.1: "unable to interpret the query", with the id that it had. */
function formatError(bytes: Uint8Array): DnsMessage {
  return {
    id: (bytes[0] << 8) | bytes[1],
    response: true,
    opcode: (bytes[2] >> 3) & 15,
    authoritative: false,
    truncated: false,
    recursionDesired: (bytes[2] & 1) !== 0,
    recursionAvailable: false,
    rcode: RCODE.FORMERR,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
  };
}
