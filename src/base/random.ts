/**
 * Seeded randomness. Every consumer forks its own stream by a label, so that a new consumer never shifts the numbers
 * that the others see: the same seed gives the same run, also after somebody has added a host.
 */
export interface Random {
  /** 0 .. 2^32 - 1. */
  u32(): number;
  /** 0 <= n < bound, without bias; `bound`: a whole number, less than 2^32. */
  below(bound: number): number;
  /** True with the given probability, 0 .. 1. */
  chance(probability: number): boolean;
  bytes(length: number): Uint8Array;
  fork(label: string): Random;
}

/** sfc32 (Chris Doty-Humphrey's Small Fast Counting generator, 32 bit), seeded by FNV-1a over the labels. */
class Sfc32 implements Random {
  private a = 0;
  private b = 0;
  private c = 0;
  /** 0: not seeded yet. Most streams of a large world are never drawn from. */
  private counter = 0;
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  private seed(): void {
    const { path } = this;
    this.a = fnv1a(path, 0x811c9dc5);
    this.b = fnv1a(path, this.a ^ 0x9e3779b9);
    this.c = fnv1a(path, this.b ^ 0x85ebca6b);
    this.counter = 1;
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32(): number {
    if (this.counter === 0) this.seed();
    const t = (this.a + this.b + this.counter++) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t;
    this.c |= 0;
    return t >>> 0;
  }

  below(bound: number): number {
    // The limit below which nothing is biased lies at most `bound` before the end: mostly it need not be known. Of numbers
    // that are told to have 32 bits the processor has the remainder by itself.
    const early = 0x1_0000_0000 - bound;
    for (;;) {
      const n = this.u32();
      if (n < early || n < 0x1_0000_0000 - ((early >>> 0) % (bound >>> 0))) return n % (bound >>> 0);
    }
  }

  chance(probability: number): boolean {
    return probability > 0 && this.u32() < probability * 0x1_0000_0000;
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) out[i] = this.u32() & 0xff;
    return out;
  }

  fork(label: string): Random {
    return new Sfc32(`${this.path}/${label}`);
  }
}

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}

export function seededRandom(seed: number | string): Random {
  return new Sfc32(`seed ${seed}`);
}
