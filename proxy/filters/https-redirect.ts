// Sends clients that came over plain http to the same URL under https. Listed in phase `cors`: preflights are answered without
// it, and it comes before anybody is asked who they are, so that no password travels in clear text.
// Annotations ssl-redirect, force-ssl-redirect and preserve-trailing-slash of ingress-nginx.
import type { Exchange, Reply } from '../http/exchange.ts';
import { parseAuthority } from '../http/authority.ts';
import { requestedAuthority } from '../http/forwarded.ts';
import { replyBody } from '../http/status.ts';
import { defineFilter, isRecord, unknownKey } from './define.ts';

export interface HttpsRedirectConfig {
  readonly status: 301 | 302 | 303 | 307 | 308;
  /** Written into the URL if it is not 443. */
  readonly port?: number;
  /** False or absent: one slash at the very end of path and query is left out, as ingress-nginx does; `/` becomes nothing. */
  readonly preserveTrailingSlash?: boolean;
}

declare module '../table/filter.ts' {
  interface FilterConfigs {
    readonly 'https-redirect': HttpsRedirectConfig;
  }
}

const STATUSES: readonly unknown[] = [301, 302, 303, 307, 308];

export default defineFilter({
  type: 'https-redirect',
  phase: 'cors',
  pure: true,

  check(config) {
    if (!isRecord(config)) return 'the configuration is not a record';
    const unknown = unknownKey(config, ['status', 'port', 'preserveTrailingSlash']);
    if (unknown !== undefined) return `there is no setting ${JSON.stringify(unknown)}`;
    if (!STATUSES.includes(config['status'])) return `status must be one of ${STATUSES.join(', ')}`;
    const { port, preserveTrailingSlash } = config;
    if (port !== undefined && !(Number.isInteger(port) && Number(port) > 0 && Number(port) <= 65_535)) return 'port must be a whole number from 1 to 65535';
    if (preserveTrailingSlash !== undefined && typeof preserveTrailingSlash !== 'boolean') return 'preserveTrailingSlash must be true or false';
    return undefined;
  },

  create({ status, port, preserveTrailingSlash }) {
    const suffix = port === undefined || port === 443 ? '' : `:${port}`;
    return {
      onRequest(exchange) {
        if (exchange.client.scheme === 'https') return undefined;
        return redirect(exchange, status, suffix, preserveTrailingSlash === true);
      },
    };
  },
});

/** A request that names no host (HTTP/1.0) has nowhere to be sent, and is refused instead of served in clear text. */
function redirect(exchange: Exchange, status: number, suffix: string, keepSlash: boolean): Reply {
  const host = parseAuthority(requestedAuthority(exchange.client, exchange.request))?.hostname;
  if (host === undefined) return { status: 400, reason: 'NoHost', headers: [], body: replyBody(400, 'NoHost') };
  const { target } = exchange.request;
  const uri = !keepSlash && target.endsWith('/') ? target.slice(0, -1) : target;
  return { status, reason: 'HttpsRedirect', headers: ['location', `https://${host}${suffix}${uri}`], body: replyBody(status, 'HttpsRedirect') };
}
