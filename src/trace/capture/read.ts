/** A capture as it streams by: its TCP conversations, and if asked for its HTTP exchanges. */
import { ConversationTable } from './conversations.ts';
import { CaptureParser } from './file-format.ts';
import { HttpExchanges } from './http-exchanges.ts';
import { locateTcp, TcpPlace } from './locate.ts';

export class CaptureReader {
  readonly conversations = new ConversationTable();
  readonly http: HttpExchanges | undefined = undefined;
  /** Packets with a TCP segment, or the first fragment of one. */
  segments = 0;
  firstTime = Number.POSITIVE_INFINITY;
  lastTime = Number.NEGATIVE_INFINITY;
  private readonly parser: CaptureParser;
  private readonly place = new TcpPlace();

  constructor(options: { http?: boolean } = {}) {
    if (options.http) this.http = new HttpExchanges();
    this.parser = new CaptureParser((bytes, start, end, time, linkType, length) =>
      this.packet(bytes, start, end, time, linkType, length),
    );
  }

  get packets(): number {
    return this.parser.packets;
  }

  /** See CaptureParser. */
  consume(bytes: Uint8Array, start: number, end: number): number {
    return this.parser.consume(bytes, start, end);
  }

  end(left: number): string | undefined {
    return this.parser.end(left);
  }

  private packet(bytes: Uint8Array, start: number, end: number, time: number, linkType: number, length: number): void {
    if (time < this.firstTime) this.firstTime = time;
    if (time > this.lastTime) this.lastTime = time;
    const { place, conversations } = this;
    if (!locateTcp(bytes, start, end, linkType, place)) return;
    this.segments++;
    const at = conversations.add(bytes, place, time, length);
    this.http?.add(at, conversations.backward, bytes, place, end, time);
  }
}
