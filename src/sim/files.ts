/** Files that exist in memory alone, for servers inside a simulation. */
import type { BodySource } from '../application/http1/body.ts';
import { sourceOf } from '../application/http1/body.ts';
import type { FileStore, StoredFile } from '../application/http1/static.ts';
import { utf8 } from '../base/bytes.ts';
import { EPOCH } from './epoch.ts';

/** By absolute path. Directories exist when something lies below them. */
export function memoryFiles(files: Record<string, string | Uint8Array>): FileStore {
  const stored = new Map(Object.entries(files).map(([path, content]) => [path, memoryFile(content)]));
  return {
    find: path => {
      const directory = path.endsWith('/') ? path : `${path}/`;
      const isDirectory = [...stored.keys()].some(name => name.startsWith(directory));
      return stored.get(path) ?? (isDirectory ? 'directory' : undefined);
    },
  };
}

function memoryFile(content: string | Uint8Array): StoredFile {
  const bytes = typeof content === 'string' ? utf8(content) : content;
  const read = (start: number, end: number): BodySource => sourceOf(bytes.subarray(start, end));
  return { size: bytes.length, modified: EPOCH - 86_400_000, tag: fingerprint(bytes), read };
}

/** FNV-1a: the same content has the same tag in every run. */
export function fingerprint(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${bytes.length.toString(16)}-${(hash >>> 0).toString(16)}`;
}
