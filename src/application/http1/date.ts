/** HTTP dates (RFC 9110 §5.6.7). */
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Milliseconds since 1970 to 'Sun, 06 Nov 1994 08:49:37 GMT'. */
export function httpDate(milliseconds: number): string {
  const d = new Date(milliseconds);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${DAYS[d.getUTCDay()]}, ${two(d.getUTCDate())} ${MONTHS[d.getUTCMonth()]} ${d.getUTCFullYear()}`;
  return `${day} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} GMT`;
}

const IMF = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const RFC850 =
  /^(?:Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday), (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/;
const ASCTIME = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/;

/** A recipient MUST accept all three formats; undefined for anything else. `now` places two-digit years. */
export function parseHttpDate(text: string, now: number): number | undefined {
  const imf = IMF.exec(text);
  if (imf !== null) return utc(imf[3], imf[2], imf[1], imf[4], imf[5], imf[6]);
  const old = RFC850.exec(text);
  if (old !== null) {
    // "more than 50 years in the future" means the past century.
    const thisYear = new Date(now).getUTCFullYear();
    const year = Math.floor(thisYear / 100) * 100 + Number(old[3]);
    return utc(String(year > thisYear + 50 ? year - 100 : year), old[2], old[1], old[4], old[5], old[6]);
  }
  const asc = ASCTIME.exec(text);
  return asc === null ? undefined : utc(asc[6], asc[1], asc[2].trim(), asc[3], asc[4], asc[5]);
}

function utc(year: string, month: string, day: string, h: string, m: string, s: string): number | undefined {
  const index = MONTHS.indexOf(month);
  if (index < 0 || Number(h) > 23 || Number(m) > 59 || Number(s) > 60) return undefined;
  const time = Date.UTC(Number(year), index, Number(day), Number(h), Number(m), Number(s));
  return new Date(time).getUTCDate() === Number(day) ? time : undefined;
}
