// The certificate that a server shows for a name.
import { connect } from 'node:tls';

export function peerOf(port: number, servername: string): Promise<{ readonly validTo: string; readonly names: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
      const { valid_to: validTo, subjectaltname: names = '' } = socket.getPeerCertificate();
      socket.end();
      resolve({ validTo, names });
    });
    socket.on('error', reject);
  });
}
