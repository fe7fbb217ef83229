// Which fields may stand in a message of HTTP/2 (RFC 9113 §8.2), whoever sends it.
import type { RawHeaders } from '../http/exchange.ts';
import { TCHAR, isBlank, isFieldValue } from '../http/syntax.ts';

/** True: fields without pseudo-header fields, each as HTTP/2 allows it. */
export function areFields(fields: RawHeaders): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    if (!isLowerToken(name) || !isWholeValue(value) || isOfConnection(name, value)) return false;
  }
  return true;
}

/** Fields that say something of a connection do not exist in HTTP/2 (RFC 9113 §8.2.2). `name` is lower-case. */
export function isOfConnection(name: string, value: string): boolean {
  switch (name) {
    case 'connection':
    case 'proxy-connection':
    case 'keep-alive':
    case 'transfer-encoding':
    case 'upgrade':
    case 'http2-settings':
      return true;
    case 'te':
      return value !== 'trailers';
    default:
      return false;
  }
}

/** A token without upper-case letters. */
export function isLowerToken(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (TCHAR[code] !== 1 || (code >= 0x41 && code <= 0x5a)) return false;
  }
  return name.length > 0;
}

/** A field value without blanks at its ends. */
export function isWholeValue(value: string): boolean {
  return isFieldValue(value) && !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1));
}
