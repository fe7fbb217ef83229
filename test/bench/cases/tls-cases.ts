// The cases of `npm run bench:tls`. A client's share of a full handshake costs more than a server's, so that full handshakes a second
// say what the generator could do; the CPU per handshake is the proxy's.
import { resumes } from '../run/probe.ts';
import { handshakes } from '../run/generators.ts';
import { bodies, byWrk, expecting } from './http-load.ts';
import type { LoadCase } from './turns.ts';

const MEGABYTE = 1024 * 1024;
const full: Pick<LoadCase, 'unit' | 'protocol' | 'load' | 'check'> = {
  unit: 'handshake', protocol: 'http', load: (target, seconds, cpus) => handshakes(target.httpsPort, seconds, cpus), check: expecting(1024, { tls: true }),
};

export const TLS_CASES: readonly LoadCase[] = [
  { name: 'full-ecdsa', title: 'Full handshakes, TLS 1.3, ECDSA P-256', ...full },
  { name: 'full-rsa', title: 'Full handshakes, TLS 1.3, RSA 2048', certificate: 'rsa', ...full },
  {
    name: 'resumed', title: 'Resumed handshakes, TLS 1.3, each with one request for 1 KB', unit: 'handshake', protocol: 'http',
    load: byWrk({ tls: true, connections: 32, fresh: true }),
    check: async (target) => ((await resumes(target.httpsPort)) ? undefined : 'it does not resume sessions'),
  },
  {
    name: 'body-1m', title: 'Bodies of 1 MB over TLS', unit: 'request', protocol: 'http', bodyBytes: MEGABYTE,
    load: bodies({ tls: true, connections: 8, path: '/files/1m' }, MEGABYTE), check: expecting(MEGABYTE, { tls: true, path: '/files/1m' }),
  },
];
