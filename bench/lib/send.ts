/** The sending application of the benchmarks. */
import type { ConnectRequest, Network } from '../../src/socket/types.ts';
import { IGNORE } from './pair.ts';

/** What is written at a time. */
export const newChunk = (size = 65536): Uint8Array => new Uint8Array(size).fill(7);

/** Connects, writes so many bytes as quickly as they are taken, and ends. Infinity: it never does. */
export function sendTo(network: Network, to: ConnectRequest, bytes: number, chunk = newChunk()): void {
  const chunkSize = chunk.length;
  let left = bytes;
  const pump = (): void => {
    while (left > 0) {
      const piece = left < chunkSize ? chunk.subarray(0, left) : chunk;
      const taken = socket.write(piece);
      left -= taken;
      if (taken < piece.length) return;
    }
    socket.end();
  };
  const socket = network.connect(to, { ...IGNORE, connected: pump, writable: pump });
}
