// Sets, adds and removes header fields of every response of a route, whoever made it. HSTS (RFC 6797) is one use of it:
// `set` Strict-Transport-Security, for `https` only. It stands in the first phase because responses pass the filters in reverse
// and only those that the request has passed: so it sees refusals of other filters too, and has the last word.
import { removeField, setField } from '../http/fields.ts';
import { isFieldValue, isToken } from '../http/syntax.ts';
import { defineFilter, isRecord, unknownKey } from './define.ts';

export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}

/** Removed first, then set, then added. */
export interface ResponseHeadersConfig {
  /** Names that no response keeps. */
  readonly remove?: readonly string[];
  /** Takes the place of all fields of that name. */
  readonly set?: readonly HeaderValue[];
  /** One more field of that name. */
  readonly add?: readonly HeaderValue[];
  /** Absent: responses to both. RFC 6797 §7.2: HSTS must not be sent in clear text. */
  readonly scheme?: 'http' | 'https';
}

declare module '../table/filter.ts' {
  interface FilterConfigs {
    readonly 'response-headers': ResponseHeadersConfig;
  }
}

/** Fields by which the message itself is read, and which the connection alone decides (RFC 9110 §7.6.1, §8.6). */
const FRAMING: ReadonlySet<string> = new Set(['connection', 'content-length', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

export default defineFilter({
  type: 'response-headers',
  phase: 'admit',

  check(config) {
    if (!isRecord(config)) return 'the configuration is not a record';
    const unknown = unknownKey(config, ['remove', 'set', 'add', 'scheme']);
    if (unknown !== undefined) return `there is no setting ${JSON.stringify(unknown)}`;
    const { remove = [], set = [], add = [], scheme } = config;
    if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') return 'scheme must be http or https';
    if (!Array.isArray(remove) || !Array.isArray(set) || !Array.isArray(add)) return 'remove, set and add must be lists';
    for (const name of remove) {
      const wrong = wrongName(name);
      if (wrong !== undefined) return wrong;
    }
    for (const field of [...set, ...add]) {
      const wrong = isRecord(field) ? (wrongName(field['name']) ?? wrongValue(field['value'])) : 'set and add hold records of name and value';
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  },

  create({ remove = [], set = [], add = [], scheme }) {
    const removed = remove.map((name) => name.toLowerCase());
    const replaced = set.map(({ name, value }) => ({ name: name.toLowerCase(), value }));
    return {
      onResponse(exchange) {
        if (scheme !== undefined && exchange.client.scheme !== scheme) return;
        const headers = (exchange.responseHeaders ??= []);
        for (const name of removed) removeField(headers, name);
        for (const { name, value } of replaced) setField(headers, name, value);
        for (const { name, value } of add) headers.push(name, value);
      },
    };
  },
});

function wrongName(name: unknown): string | undefined {
  if (typeof name !== 'string' || !isToken(name)) return `${JSON.stringify(name)} is not a header name`;
  return FRAMING.has(name.toLowerCase()) ? `the header ${name} cannot be changed` : undefined;
}

function wrongValue(value: unknown): string | undefined {
  return typeof value === 'string' && isFieldValue(value) ? undefined : 'a header value holds a character that is not allowed';
}
