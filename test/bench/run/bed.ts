// What all cases stand on: a folder of their own, certificates, endpoints, and a place on the machine for everybody. The proxy
// has the first processor for itself; generator and endpoint share the second, or have one each where there are three.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBackend } from '../backend/nginx.ts';
import type { CertificateFiles, Peer, Protocol, Running, Setup } from '../peers/peer.ts';
import { runToEnd, start, waitFor } from './process.ts';

const RAW = fileURLToPath(new URL('../backend/raw.ts', import.meta.url));

export interface Cpus {
  readonly proxy: string | undefined;
  readonly load: string | undefined;
  readonly backend: string | undefined;
}

export interface Bed {
  readonly cpus: Cpus;
  readonly folder: string;
  readonly ports: Readonly<Record<Protocol, number>>;
  /** Of a second endpoint for HTTP. */
  readonly secondPort: number;
  readonly certificates: Readonly<Record<'ecdsa' | 'rsa', CertificateFiles>>;
  /** Starts a peer in a folder that it makes; what is not said is as in the plain case: one worker, the P-256 certificate, one route. */
  start(peer: Peer, setup?: Partial<Setup> & { readonly protocol?: Protocol }): Promise<Running>;
  /** Ends the endpoints and removes the folder. */
  close(): Promise<void>;
}

/** Where everybody runs; with one processor, where the kernel likes. */
export function placement(processors = availableParallelism()): Cpus {
  if (processors < 2) return { proxy: undefined, load: undefined, backend: undefined };
  return { proxy: '0', load: '1', backend: processors < 3 ? '1' : '2' };
}

export async function makeBed(cpus = placement()): Promise<Bed> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', removeFolder);
  const certificates = {
    ecdsa: await makeCertificate(folder, 'ecdsa', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']),
    rsa: await makeCertificate(folder, 'rsa', ['-newkey', 'rsa:2048']),
  };
  const backend = await startBackend(join(folder, 'endpoint'), cpus.backend);
  const raw = start(process.execPath, [RAW], { cpus: cpus.backend });
  const rawPort = Number(await waitFor(raw, 'the endpoint for uploads', () => /^\d+/.exec(raw.output())?.[0]));
  const ports = { http: backend.port, upload: rawPort, websocket: rawPort, grpc: backend.grpcPort };
  let started = 0;
  return {
    cpus, folder, ports, certificates, secondPort: backend.secondPort,
    start(peer, { protocol = 'http', ...setup } = {}) {
      const own = setup.folder ?? join(folder, `${peer.name}-${++started}`);
      mkdirSync(own);
      return peer.start({ folder: own, upstream: { port: ports[protocol], protocol }, certificate: certificates.ecdsa, workers: 1, cpus: cpus.proxy, ...setup });
    },
    async close() {
      await Promise.all([backend.stop(), raw.stop()]);
      process.off('exit', removeFolder);
      removeFolder();
    },
  };
}

async function makeCertificate(folder: string, name: string, key: readonly string[]): Promise<CertificateFiles> {
  const files = { chain: join(folder, `${name}.crt`), key: join(folder, `${name}.key`), both: join(folder, `${name}.pem`) };
  const names = 'subjectAltName=DNS:bench.example,DNS:*.example.com,DNS:localhost,IP:127.0.0.1';
  await runToEnd('openssl', ['req', '-x509', '-nodes', '-days', '30', ...key, '-subj', '/CN=bench.example', '-addext', names, '-out', files.chain, '-keyout', files.key], { cpus: undefined }, 20_000);
  writeFileSync(files.both, readFileSync(files.chain, 'utf8') + readFileSync(files.key, 'utf8'));
  return files;
}
