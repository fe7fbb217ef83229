// The default certificate of a TLS listener while it is exchanged: hosts without a certificate of their own depend on it, and
// so do clients that name no host.
import { once } from 'node:events';
import tls from 'node:tls';
import test from 'ava';
import { selfSigned } from '../../../certs/self-signed.ts';
import { HTTP_LISTENER, startDataPlane } from '../../support/data-plane.ts';
import type { Listener } from '../../../proxy/table/listener.ts';

const first = selfSigned({ hostnames: ['first.test'] });
const second = selfSigned({ hostnames: ['second.test'] });

function listenerWith(defaultCertificate: string): Listener {
  return { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS', tls: { defaultCertificate, minVersion: 'TLSv1.2' } };
}

test('a new default certificate is served to hosts without their own, though the old one has left the table', async (t) => {
  const proxy = await startDataPlane({
    listeners: { 'listener/https': listenerWith(first.name) },
    certificates: { [first.name]: first },
  });
  t.teardown(() => proxy.close());
  const served = async (servername?: string): Promise<string | undefined> => {
    const socket = tls.connect({ port: proxy.httpsPort as number, host: '127.0.0.1', servername, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const name = socket.getPeerCertificate().subjectaltname;
    socket.destroy();
    return name;
  };
  t.is(await served('shop.test'), 'DNS:first.test');

  await proxy.swap({ listeners: { 'listener/https': listenerWith(second.name) }, certificates: { [second.name]: second } });
  t.is(await served('shop.test'), 'DNS:second.test');
  t.is(await served(), 'DNS:second.test');
});
