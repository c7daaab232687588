/** Basic authentication (RFC 7617) and the challenges that ask for it (RFC 9110 §11.6.1). */

export interface Credentials {
  user: string;
  password: string;
}

export function basicAuthorization({ user, password }: Credentials): string {
  // RFC 7617 §2: "a user-id containing a colon character is invalid".
  if (user.includes(':')) throw new TypeError('a user name for Basic authentication must not contain a colon');
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** Undefined for another scheme, or what is not base64 of 'user:password'. */
export function parseBasicAuthorization(value: string): Credentials | undefined {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value);
  if (match === null) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(
      Uint8Array.from(atob(match[1]), c => c.charCodeAt(0)),
    );
    const colon = text.indexOf(':');
    return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
  } catch {
    return undefined;
  }
}

/** The realm of a Basic challenge among those of a WWW-Authenticate field. */
export function basicRealm(challenges: string): string | undefined {
  const match = /(?:^|,)\s*basic\s+(?:[^,]*,\s*)*?realm\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s,]+))/i.exec(challenges);
  return match === null ? undefined : (match[1]?.replace(/\\(.)/g, '$1') ?? match[2]);
}
