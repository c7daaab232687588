/** Small pictures, made here so that the site's images are real ones: PNG (RFC 2083) with stored deflate blocks. */
import { concat, utf8 } from '../../base/bytes.ts';

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** RGB pixels by a function of x and y, each 0 .. 255. */
export function png(
  width: number,
  height: number,
  pixel: (x: number, y: number) => readonly [number, number, number],
): Uint8Array {
  const rows = new Uint8Array(height * (1 + width * 3));
  let at = 0;
  for (let y = 0; y < height; y++) {
    at++; // filter type 0
    for (let x = 0; x < width; x++) {
      rows.set(pixel(x, y), at);
      at += 3;
    }
  }
  const header = concat([u32(width), u32(height), Uint8Array.of(8, 2, 0, 0, 0)]);
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10);
  return concat([signature, chunk('IHDR', header), chunk('IDAT', stored(rows)), chunk('IEND', new Uint8Array(0))]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = concat([utf8(type), data]);
  let crc = 0xffff_ffff;
  for (const byte of body) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return concat([u32(data.length), body, u32(~crc >>> 0)]);
}

/** zlib (RFC 1950) around stored blocks (RFC 1951 §3.2.4). */
function stored(data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let at = 0; at < data.length; at += 65535) {
    const size = Math.min(65535, data.length - at);
    const last = at + size === data.length ? 1 : 0;
    parts.push(
      Uint8Array.of(last, size & 255, size >> 8, ~size & 255, (~size >> 8) & 255),
      data.subarray(at, at + size),
    );
  }
  let a = 1;
  let b = 0;
  for (const byte of data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return concat([...parts, u32(((b << 16) | a) >>> 0)]);
}

const u32 = (n: number): Uint8Array => Uint8Array.of(n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
