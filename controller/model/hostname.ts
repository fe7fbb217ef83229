// Hostnames as Ingress rules, `tls` sections and ExternalName Services spell them: what is accepted, and the one spelling
// that the table uses (lower-case).
import { parseAddress } from './address.ts';

/** RFC 1123 as Kubernetes reads it: labels of letters, digits and hyphens, at most 63 long, 253 in all. */
const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const SUBDOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

export type HostnameCheck = { readonly hostname: string } | { readonly wrong: string };

/** A rule's host: a DNS name, or `*.` and a DNS name. Upper case is read as lower case. */
export function checkRuleHost(text: string): HostnameCheck {
  const hostname = text.toLowerCase();
  const name = hostname.startsWith('*.') ? hostname.slice(2) : hostname;
  if (hostname.length > 253) return { wrong: 'is longer than the 253 characters of a DNS name' };
  if (parseAddress(hostname) !== undefined) return { wrong: 'is an IP address; a host is a DNS name' };
  if (name.includes('*')) return { wrong: 'has a star that is not its whole first label' };
  return SUBDOMAIN.test(name) ? { hostname } : { wrong: 'is not a DNS name: labels of letters, digits and hyphens, joined by dots' };
}

/** An ExternalName: a DNS name, with or without a final dot, or an IP address. */
export function checkDnsName(text: string): HostnameCheck {
  const hostname = text.toLowerCase().replace(/\.$/, '');
  if (hostname.length > 253) return { wrong: 'is longer than the 253 characters of a DNS name' };
  if (parseAddress(hostname) !== undefined || SUBDOMAIN.test(hostname) || UNDERSCORED.test(hostname)) return { hostname };
  return { wrong: 'is not a DNS name' };
}

// Names in DNS at large (CNAME targets of cloud services) may have underscores, though hosts may not.
const UNDERSCORED = new RegExp(`^${LABEL.replaceAll('a-z0-9', 'a-z0-9_')}(?:\\.${LABEL.replaceAll('a-z0-9', 'a-z0-9_')})*$`);
