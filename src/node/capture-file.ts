/** A capture file, read piece by piece: never more than a few megabytes of it are in memory. */
import { closeSync, openSync, readSync } from 'node:fs';
import { CaptureError } from '../trace/capture/file-format.ts';
import { CaptureReader } from '../trace/capture/read.ts';

const PIECE = 4 << 20;
/** The longest packet or block that is taken, and then some. */
const MOST = 32 << 20;

export interface CaptureFile {
  reader: CaptureReader;
  /** The file ends in the middle of a packet: a sentence that says so. */
  truncated: string | undefined;
}

/** Throws CaptureError for what is no capture or cannot be read. */
export function readCapture(path: string, options: { http?: boolean } = {}): CaptureFile {
  const reader = new CaptureReader(options);
  const file = open(path);
  try {
    let buffer = new Uint8Array(PIECE);
    let held = 0;
    for (;;) {
      if (held === buffer.length) buffer = enlarged(buffer);
      const count = readSync(file, buffer, held, buffer.length - held, null);
      if (count === 0) return { reader, truncated: reader.end(held) };
      const end = held + count;
      const at = reader.consume(buffer, 0, end);
      buffer.copyWithin(0, at, end);
      held = end - at;
    }
  } catch (error) {
    throw describe(error, path);
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw describe(error, path);
  }
}

function enlarged(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(2 * buffer.length, MOST));
  larger.set(buffer);
  return larger;
}

function describe(error: unknown, path: string): Error {
  if (error instanceof CaptureError) return new CaptureError(`${path}: ${error.message}`);
  const { code } = error as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'it may not be read',
    EISDIR: 'it is a folder',
  };
  return code === undefined ? (error as Error) : new CaptureError(`${path}: ${known[code] ?? code}`);
}
