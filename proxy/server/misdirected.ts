// Requests that came over a connection which was not made to their host. That is everyday HTTP/2 (RFC 9113 §9.1.1), but where
// one of the two hosts asks for client certificates the handshake settled something that is not true of the other one, and a
// host that is passed through does its own handshakes.
import type { Exchange, Reply } from '../http/exchange.ts';
import type { RoutingTable } from '../match/compile.ts';
import type { VirtualHost } from '../table/route.ts';
import { plainReply } from './reply.ts';

const MISDIRECTED = plainReply(421, 'MisdirectedRequest', 'this connection was made to another host');

/** The answer to a misdirected request (RFC 9110 §15.5.20); undefined: it is none. */
export function misdirected({ client, request }: Exchange, listener: string, table: RoutingTable): Reply | undefined {
  const { tls } = client;
  if (tls === undefined) return undefined;
  const requested = table.virtualHost(listener, request.hostname);
  // A connection that was made to it would not have ended here.
  if (requested?.passthrough !== undefined) return MISDIRECTED;
  const connected = table.virtualHost(listener, tls.serverName);
  const policy = policyOf(requested);
  // The same host may ask for other certificates than it did when the connection was made.
  if (requested === connected ? policy === tls.policy : policy === '' && policyOf(connected) === '' && tls.policy === '') return undefined;
  return MISDIRECTED;
}

function policyOf(host: VirtualHost | undefined): string {
  return host?.tls?.clientCertificates?.name ?? '';
}
