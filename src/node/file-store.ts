/** Files of a folder on disk for a static server. Read synchronously, a piece at a time, and never outside the folder. */
import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { BodySource } from '../application/http1/body.ts';
import type { FileStore, StoredFile } from '../application/http1/static.ts';

const PIECE = 64 * 1024;

/** Throws Error with one clear line when `directory` is none. */
export function diskFiles(directory: string): FileStore {
  const root = realpathSync(resolve(checked(directory)));
  return {
    find: path => {
      let real: string;
      try {
        real = realpathSync(join(root, path));
      } catch {
        return undefined;
      }
      // A symbolic link must not lead out.
      if (real !== root && !real.startsWith(root + sep)) return undefined;
      const stat = statSync(real);
      if (stat.isDirectory()) return 'directory';
      return stat.isFile() ? diskFile(real, stat.size, stat.mtimeMs) : undefined;
    },
  };
}

function checked(directory: string): string {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) throw new Error(`there is no folder '${directory}'`);
  if (!stat.isDirectory()) throw new Error(`'${directory}' is not a folder`);
  return directory;
}

function diskFile(path: string, size: number, modified: number): StoredFile {
  const tag = `${size.toString(16)}-${Math.floor(modified).toString(16)}`;
  return { size, modified, tag, read: (start, end) => filePieces(path, start, end) };
}

function filePieces(path: string, start: number, end: number): BodySource {
  let descriptor: number | undefined;
  let at = start;
  const close = (): void => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
    at = end;
  };
  return {
    length: end - start,
    next: () => {
      if (at >= end) {
        close();
        return undefined;
      }
      descriptor ??= openSync(path, 'r');
      const piece = new Uint8Array(Math.min(PIECE, end - at));
      const count = readSync(descriptor, piece, 0, piece.length, at);
      at += count;
      if (count === 0 || at >= end) close();
      return count === 0 ? undefined : piece.subarray(0, count);
    },
    cancel: close,
  };
}
