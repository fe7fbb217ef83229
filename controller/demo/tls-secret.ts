// The Secret that the demo's HTTPS example names, as a manifest. Its certificate is made at start, because a private key has
// no place among examples.
import type { Certificate } from '../../proxy/table/certificate.ts';

/** A `kubernetes.io/tls` Secret as JSON text. It holds the private key: write it where nobody else can read it (mode 0600). */
export function tlsSecretManifest(namespace: string, name: string, certificate: Certificate): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': certificate.chainPem, 'tls.key': certificate.keyPem },
  });
}
