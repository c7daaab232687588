/** Keeps what a run told, in order. Bounded: what comes after the last place is counted, not kept. */
import type { Trace, TraceEvent } from './events.ts';

export interface RecorderOptions {
  /** Frames' bytes are the bulk of a run; without them counts are still kept. */
  keepFrames?: boolean;
  maxEvents?: number;
}

export class Recorder {
  readonly events: TraceEvent[] = [];
  /** Frames and their bytes, by link. */
  readonly links = new Map<string, { frames: number; bytes: number; lost: number }>();
  /** Events that found no place. */
  missed = 0;
  private readonly options: Required<RecorderOptions>;

  constructor(options: RecorderOptions = {}) {
    this.options = { keepFrames: true, maxEvents: 2_000_000, ...options };
  }

  readonly sink: Trace = event => {
    if (event.kind === 'frame') {
      const link = this.links.get(event.link) ?? { frames: 0, bytes: 0, lost: 0 };
      link.frames++;
      link.bytes += event.bytes.length;
      if (event.fate === 'lost' || event.fate === 'queue-full' || event.fate === 'unplugged') link.lost++;
      this.links.set(event.link, link);
      if (!this.options.keepFrames) return;
    }
    if (this.events.length < this.options.maxEvents) this.events.push(event);
    else this.missed++;
  };
}
