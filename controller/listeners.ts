// The listeners that the flags ask for, and whether their ports are free. Workers share ports (SO_REUSEPORT), so a second
// Fairlead on the same port would silently get half of the connections: the primary asks for each port alone first.
import { createServer } from 'node:net';
import type { Listener } from '../proxy/table/listener.ts';
import type { Settings } from './settings.ts';

type ListenerSettings = Pick<Settings, 'bind' | 'httpPort' | 'httpsPort' | 'trustedProxies'> & Partial<Pick<Settings, 'tls' | 'proxyProtocol' | 'proxyProtocolFrom' | 'trustedHops' | 'forwardedHttpPort'>>;

export function listenersOf({ bind, httpPort, httpsPort, forwardedHttpPort, trustedProxies, trustedHops, tls, proxyProtocol = false, proxyProtocolFrom }: ListenerSettings): readonly Listener[] {
  const common = { address: bind, proxyProtocol, ...(proxyProtocolFrom !== undefined && { proxyProtocolFrom }), trustedProxies, ...(trustedHops !== undefined && { trustedHops }) };
  return [
    { ...common, name: 'http', port: httpPort, protocol: 'HTTP', ...(forwardedHttpPort !== undefined && { forwardedPort: forwardedHttpPort }) },
    // The pipeline names the certificate.
    { ...common, name: 'https', port: httpsPort, protocol: 'HTTPS', tls: { minVersion: 'TLSv1.2', ...tls, defaultCertificate: '' } },
  ];
}

/** Rejects with a sentence if one of the ports cannot be had. */
export async function checkPorts(listeners: readonly Listener[]): Promise<void> {
  for (const { address, port } of listeners) {
    const wrong = port === 0 ? undefined : await whyNot(address, port);
    if (wrong !== undefined) throw new Error(wrong);
  }
}

export async function portIsFree(address: string, port: number): Promise<boolean> {
  return (await whyNot(address, port)) === undefined;
}

function whyNot(address: string, port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(bindError(address, port, error)));
    server.listen({ host: address, port }, () => server.close(() => resolve(undefined)));
  });
}

/** One sentence on why an address could not be bound. */
export function bindError(address: string, port: number, error: NodeJS.ErrnoException): string {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another process listens there',
    EADDRNOTAVAIL: 'this machine has no such address',
    EACCES: 'this user may not use the port',
  };
  return `cannot listen on ${address.includes(':') ? `[${address}]` : address}:${port}: ${reasons[error.code ?? ''] ?? error.message}`;
}
