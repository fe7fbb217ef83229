// The two heads of an upgrade in the shapes that http-proxy takes, with the fields as given: it would change slashes in
// the path and fold the names of headers.
import type { ClientRequest, IncomingHttpHeaders } from 'node:http';
import type { RawHeaders } from '../http/exchange.ts';

/** Fields that the tunnel sets itself, or that have no place in a message without a body. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['connection', 'upgrade', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'content-length', 'expect']);

/** Puts path and headers into a request whose head is not sent yet. */
export function setHead(outgoing: ClientRequest, target: string, headers: RawHeaders): void {
  outgoing.path = target;
  const repeated = new Map<string, string[]>();
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? '';
    const value = headers[at + 1] ?? '';
    const key = name.toLowerCase();
    if (OWN_FIELDS.has(key)) continue;
    const values = repeated.get(key);
    if (values === undefined) repeated.set(key, [value]);
    else values.push(value);
    outgoing.setHeader(name, values ?? value);
  }
}

/** The head of the 101 in the shape from which http-proxy writes it; names are written as they stand. */
export function switchHeaders(headers: RawHeaders): IncomingHttpHeaders {
  const fields: IncomingHttpHeaders = Object.create(null);
  fields['Connection'] = 'Upgrade';
  fields['Upgrade'] = 'websocket';
  const names = new Map<string, string>();
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? '';
    const value = headers[at + 1] ?? '';
    const key = name.toLowerCase();
    if (OWN_FIELDS.has(key)) continue;
    const written = names.get(key);
    if (written === undefined) {
      names.set(key, name);
      fields[name] = [value];
    } else {
      (fields[written] as string[]).push(value);
    }
  }
  return fields;
}
