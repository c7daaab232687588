/** The HTTP/1.1 requests and responses of a capture, each with its answer, whatever ports they use. */
import { latin1 } from '../../base/bytes.ts';
import { seqAdd } from '../../base/seq32.ts';
import { FIN, RST, SYN, tcp } from '../../wire/tcp.ts';
import { fieldOf, HttpMessages, type MessageHead, type MessageSink } from './http-messages.ts';
import type { TcpPlace } from './locate.ts';
import { OrderedStream } from './ordered-stream.ts';

export interface HttpExchange {
  /** The number of its conversation. */
  conversation: number;
  /** Nanoseconds since 1970, of the request's head; and nanoseconds until the response was whole. */
  start: number;
  duration: number | undefined;
  method: string;
  /** From the Host field; as the request line has it, where that says more. */
  host: string;
  target: string;
  status: number | undefined;
  contentType: string | undefined;
  /** Bytes of the response's body as they were sent. */
  length: number | undefined;
}

/** A direction with data that is no HTTP. */
const NOT_HTTP = null;
/** First letters of methods, and of 'HTTP/'. */
const REQUEST = /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH) /;
const LONGEST_START = 8;

interface Direction {
  stream: OrderedStream;
  messages: HttpMessages;
}

export class HttpExchanges {
  readonly list: HttpExchange[] = [];
  /** Two a conversation. */
  private readonly directions: (Direction | typeof NOT_HTTP | undefined)[] = [];
  /** The requests of a conversation that wait for their answers. */
  private readonly waiting = new Map<number, HttpExchange[]>();

  /** A segment of that conversation and direction, as `locateTcp` has found it; `end` of what was captured. */
  add(conversation: number, backward: boolean, bytes: Uint8Array, place: TcpPlace, end: number, time: number): void {
    const at = 2 * conversation + (backward ? 1 : 0);
    const known = this.directions[at];
    if (known === NOT_HTTP) return;
    const length = place.end - place.data;
    const flags = bytes[place.tcp + 13];
    if (length > 0) {
      const direction = known ?? this.open(at, conversation, bytes, place.data, Math.min(end, place.end));
      if (direction === NOT_HTTP) return;
      const seq = tcp.f.seq.get(bytes, place.tcp);
      if (flags & SYN) direction.stream.begin(seqAdd(seq, 1));
      direction.stream.add(seqAdd(seq, flags & SYN ? 1 : 0), bytes, place.data, Math.min(end, place.end), length, time);
    }
    if ((flags & (FIN | RST)) !== 0) this.directions[at]?.messages.close(time);
  }

  /** The first data of a direction says what it is. */
  private open(at: number, conversation: number, bytes: Uint8Array, start: number, end: number): Direction | null {
    const text = latin1(bytes, start, Math.min(end, start + LONGEST_START));
    const isRequest = REQUEST.test(text);
    if (!isRequest && !text.startsWith('HTTP/1.')) {
      this.directions[at] = NOT_HTTP;
      return NOT_HTTP;
    }
    const waiting = this.waiting.get(conversation) ?? [];
    this.waiting.set(conversation, waiting);
    const sink = isRequest ? this.requests(conversation, waiting) : this.responses(waiting);
    const messages = new HttpMessages(isRequest, sink);
    const direction = { stream: new OrderedStream(messages), messages };
    this.directions[at] = direction;
    return direction;
  }

  private requests(conversation: number, waiting: HttpExchange[]): MessageSink {
    return {
      head: ({ method = '', target = '', headers }: MessageHead, time) => {
        const exchange: HttpExchange = {
          conversation,
          start: time,
          duration: undefined,
          method,
          host: fieldOf(headers, 'host') ?? '',
          target,
          status: undefined,
          contentType: undefined,
          length: undefined,
        };
        this.list.push(exchange);
        waiting.push(exchange);
        return false;
      },
      end: () => {},
    };
  }

  /** RFC 9112 §9.3.2: answers come in the order of the requests; a 1xx is not the answer yet. */
  private responses(waiting: HttpExchange[]): MessageSink {
    let answered: HttpExchange | undefined;
    return {
      head: ({ status = 0, headers }) => {
        const isInterim = status < 200 && status !== 101;
        answered = isInterim ? undefined : waiting.shift();
        if (answered !== undefined) {
          answered.status = status;
          answered.contentType = fieldOf(headers, 'content-type');
        }
        return isInterim || status === 204 || status === 304 || answered?.method === 'HEAD';
      },
      end: (bodyLength, time) => {
        if (answered === undefined) return;
        answered.length = bodyLength;
        answered.duration = time - answered.start;
        answered = undefined;
      },
    };
  }
}
