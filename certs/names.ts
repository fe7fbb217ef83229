// The names that a certificate stands for. node:crypto gives the subject alternative names as one text in which a hostile
// name could pretend to be several; it quotes such values (as JSON strings), so the text must be read token by token and
// never split at commas (CVE-2021-44532).
import type { X509Certificate } from 'node:crypto';

const DNS_NAME = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Hostnames of a leaf, lower-case, without repeats: every SAN dNSName and iPAddress that is a proper name or address, or
 * the subject's CN if the certificate has no SAN at all (RFC 9525 has no CN; RFC 6125 §6.4.4 allows it as a last resort).
 */
export function hostnamesOf(certificate: X509Certificate): readonly string[] {
  const names = new Set<string>();
  if (certificate.subjectAltName === undefined) {
    const commonName = certificate.toLegacyObject().subject.CN;
    const last = Array.isArray(commonName) ? commonName.at(-1) : commonName;
    if (last !== undefined) names.add(canonicalName(last));
  } else {
    for (const { type, value } of readAltNames(certificate.subjectAltName)) {
      if (isAddress(value) === (type === 'IP Address') && (type === 'IP Address' || type === 'DNS')) names.add(canonicalName(value));
    }
  }
  names.delete('');
  return [...names];
}

/** Lower-case, no trailing dot, IPv6 in its shortest form; empty if it is neither a DNS name (perhaps with `*.`) nor an address. */
export function canonicalName(name: string): string {
  if (/^[\da-f:.]*:[\da-f:.]*$/i.test(name)) return URL.parse(`http://[${name}]/`)?.hostname.slice(1, -1) ?? '';
  const lower = name.toLowerCase();
  const bare = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  return bare.length <= 253 && DNS_NAME.test(bare) ? bare : '';
}

/** True for IPv4 and IPv6 addresses, which no wildcard covers. */
export function isAddress(name: string): boolean {
  return name.includes(':') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name);
}

/** The entries of `X509Certificate.subjectAltName`, in order. A text that does not fit the grammar ends the list: what cannot be read gives no name. */
export function readAltNames(text: string): readonly { readonly type: string; readonly value: string }[] {
  const entries: { type: string; value: string }[] = [];
  const entry = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const found = entry.exec(text);
    if (found === null) break;
    const [, type = '', value = ''] = found;
    entries.push({ type, value: value.startsWith('"') ? unquote(value) : value });
  }
  return entries;
}

function unquote(value: string): string {
  try {
    return String(JSON.parse(value));
  } catch {
    return '';
  }
}
