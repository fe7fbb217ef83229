// Certificates for TLS endpoints in tests: a CA of their own and leaves for names and addresses.
import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';

export interface TestCa {
  readonly certPem: string;
  /** A certificate for these DNS names and IP addresses, with its key. */
  issue(names: readonly string[]): { readonly cert: string; readonly key: string };
}

export function testCa(commonName = 'test CA'): TestCa {
  const caKeys = rsa();
  const ca = certificate(commonName, commonName, caKeys.publicKey, caKeys.privateKey, [{ name: 'basicConstraints', cA: true, critical: true }, { name: 'keyUsage', keyCertSign: true, critical: true }]);
  return {
    certPem: forge.pki.certificateToPem(ca),
    issue(names) {
      const keys = rsa();
      const altNames = names.map((name) => (/^[\d.]+$|:/.test(name) ? { type: 7, ip: name } : { type: 2, value: name }));
      const leaf = certificate(names[0] ?? '', commonName, keys.publicKey, caKeys.privateKey, [{ name: 'subjectAltName', altNames }]);
      return { cert: forge.pki.certificateToPem(leaf), key: keys.pem };
    },
  };
}

let serial = 1;

function certificate(subject: string, issuer: string, publicKey: forge.pki.PublicKey, signer: forge.pki.rsa.PrivateKey, extensions: object[]): forge.pki.Certificate {
  const made = forge.pki.createCertificate();
  made.publicKey = publicKey;
  made.serialNumber = `0${serial++}`;
  made.validity.notBefore = new Date(Date.now() - 3_600_000);
  made.validity.notAfter = new Date(Date.now() + 86_400_000);
  made.setSubject([{ name: 'commonName', value: subject }]);
  made.setIssuer([{ name: 'commonName', value: issuer }]);
  made.setExtensions(extensions);
  made.sign(signer, forge.md.sha256.create());
  return made;
}

function rsa(): { publicKey: forge.pki.PublicKey; privateKey: forge.pki.rsa.PrivateKey; pem: string } {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const key = forge.pki.privateKeyFromPem(pem);
  return { publicKey: forge.pki.setRsaPublicKey(key.n, key.e), privateKey: key, pem };
}
