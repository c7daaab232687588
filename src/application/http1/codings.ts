/** Content codings (RFC 9110 §8.4): what a host has of them is plugged in (node/zlib); a browser tab may have none. */
export interface ContentCodings {
  /** What can be decoded and encoded, best first: 'br', 'gzip', 'deflate'. */
  readonly names: readonly string[];
  /** Throws for bad data, and beyond `limit` bytes: a kilobyte may hold a gigabyte. */
  decode(coding: string, bytes: Uint8Array, limit: number): Uint8Array;
  encode(coding: string, bytes: Uint8Array): Uint8Array;
}

export interface Preference {
  name: string;
  /** 0 .. 1; 0: not acceptable. */
  weight: number;
}

/** Accept-Encoding and its like (RFC 9110 §12.4.2): 'gzip;q=0.5, br'. */
export function parsePreferences(value: string): Preference[] {
  return value
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
    .map(part => {
      const [name, ...parameters] = part.split(';').map(piece => piece.trim());
      const q = parameters.map(p => /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i.exec(p)).find(match => match !== null);
      return { name: name.toLowerCase(), weight: q ? Number(q[1]) : 1 };
    });
}

/** The best coding that both have; undefined: send it as it is. */
export function chooseCoding(available: readonly string[], acceptEncoding: string | undefined): string | undefined {
  if (acceptEncoding === undefined) return undefined;
  const wanted = parsePreferences(acceptEncoding);
  const weightOf = (name: string): number =>
    (wanted.find(p => p.name === name) ?? wanted.find(p => p.name === '*'))?.weight ?? 0;
  const usable = available.filter(name => weightOf(name) > 0);
  return usable.sort((a, b) => weightOf(b) - weightOf(a))[0];
}
