// The Set-Cookie field of a session, letter by letter as ingress-nginx writes it (lua-resty-cookie), so that clients which
// look at it see no difference. RFC 6265 §4.1.
import type { SessionCookie } from '../table/cluster.ts';

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** What the request says about the cookie that it gets. */
export interface CookieRequest {
  /** `Forward.sessionPath` of its route. */
  readonly path: string;
  readonly encrypted: boolean;
  readonly userAgent: string | undefined;
}

/** `now`: milliseconds since the epoch. */
export function setCookieText(cookie: SessionCookie, value: string, request: CookieRequest, now: number): string {
  let text = `${cookie.name}=${value}`;
  if (cookie.expiresSeconds !== undefined) text += `; Expires=${cookieDate(now + cookie.expiresSeconds * 1000)}`;
  if (cookie.maxAgeSeconds !== undefined) text += `; Max-Age=${cookie.maxAgeSeconds}`;
  if (cookie.domain !== undefined) text += `; Domain=${cookie.domain}`;
  text += `; Path=${cookie.path ?? request.path}`;
  if (cookie.secure === true || request.encrypted) text += '; Secure';
  text += '; HttpOnly';
  const { sameSite } = cookie;
  const omitted = sameSite === 'None' && cookie.omitNoneWhereMisread === true && misreadsNone(request.userAgent ?? '');
  if (sameSite !== undefined && !omitted) text += `; SameSite=${sameSite}`;
  return text;
}

/** nginx's cookie time: `Thu, 18-Nov-10 11:27:35 GMT`; from 2038 on with all four digits of the year. */
export function cookieDate(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (number: number): string => String(number).padStart(2, '0');
  const year = date.getUTCFullYear();
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())}-${MONTHS[date.getUTCMonth()]}-${year > 2037 ? year : two(year % 100)} ${time} GMT`;
}

/** Browsers that take None for Strict: Chrome 40 to 69, everything on iOS 12, Safari on macOS 10.14. https://www.chromium.org/updates/same-site/incompatible-clients */
function misreadsNone(userAgent: string): boolean {
  if (/Chrome\/[456]/.test(userAgent)) return true;
  if (userAgent.includes('CPU iPhone OS 12') || userAgent.includes('iPad; CPU OS 12')) return true;
  return userAgent.includes('Macintosh; Intel Mac OS X 10_14') && /Version\/.*Safari/.test(userAgent) && !/Chrom(?:e|ium)\//.test(userAgent);
}
