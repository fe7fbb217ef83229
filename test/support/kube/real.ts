// A real kube-apiserver with its etcd, in a folder of its own, on free ports of 127.0.0.1. The programs are those in the folder
// that the environment variable KUBEBUILDER_ASSETS names, as is the convention of the field.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { selfSigned } from '../../../certs/self-signed.ts';
import { AdminClient } from './admin.ts';

/** The folder with both programs; undefined: there is none, and what needs it is skipped. */
export function assets(): string | undefined {
  const folder = process.env.KUBEBUILDER_ASSETS;
  return folder !== undefined && ['etcd', 'kube-apiserver'].every((name) => existsSync(join(folder, name))) ? folder : undefined;
}

export interface Token {
  readonly token: string;
  readonly user: string;
  readonly groups: readonly string[];
}

export class RealApiServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fairlead-kube-'));
  readonly #certificate = selfSigned({ hostnames: ['127.0.0.1', 'localhost'] });
  readonly #tokens: readonly Token[];
  readonly #processes: ChildProcess[] = [];
  port = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get caPem(): string {
    return this.#certificate.chainPem;
  }

  /** Resolves when it is ready; `adminToken`: one of the tokens. Rejects, and leaves no process behind, if it does not start. */
  async start(programs: string, adminToken: string): Promise<void> {
    // Another process may take a port between its choice and its use.
    for (let left = 3; ; left--) {
      try {
        return await this.#start(programs, adminToken);
      } catch (error) {
        await this.#end();
        if (left === 1) throw error;
      }
    }
  }

  async #start(programs: string, adminToken: string): Promise<void> {
    const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
    this.port = port;
    const etcd = `http://127.0.0.1:${etcdPort}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    this.#run(join(programs, 'etcd'), ['--data-dir', join(this.#folder, 'etcd'), '--listen-client-urls', etcd, '--advertise-client-urls', etcd,
      '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`, '--unsafe-no-fsync']);
    this.#run(join(programs, 'kube-apiserver'), [
      `--etcd-servers=${etcd}`, '--bind-address=127.0.0.1', `--secure-port=${port}`, '--advertise-address=127.0.0.1',
      `--tls-cert-file=${this.#write('tls.crt', this.#certificate.chainPem)}`, `--tls-private-key-file=${this.#write('tls.key', this.#certificate.keyPem)}`,
      `--token-auth-file=${this.#write('tokens.csv', this.#tokens.map(({ token, user, groups }) => `${token},${user},${user},"${groups.join(',')}"\n`).join(''))}`,
      '--authorization-mode=RBAC', '--service-cluster-ip-range=10.0.0.0/16', '--service-account-issuer=https://kubernetes.default.svc', ...this.#accountKeys(),
      `--cert-dir=${this.#folder}`, '--disable-admission-plugins=ServiceAccount', '--event-ttl=10m',
    ]);
    const admin = new AdminClient(this.url, this.caPem, adminToken);
    try {
      for (let tries = 0; ; tries++) {
        if (this.#processes.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null) || tries > 600) throw new Error(`kube-apiserver does not start:\n${this.#log().slice(-2000)}`);
        const ready = await admin.call('GET', '/readyz').then(({ status }) => status === 200, () => false);
        if (ready && (await admin.call('GET', '/api/v1/namespaces/default')).status === 200) return;
        await pause(100);
      }
    } finally {
      await admin.close();
    }
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    for (const child of this.#processes.splice(0).reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
    }
    rmSync(join(this.#folder, 'etcd'), { recursive: true, force: true });
  }

  #run(program: string, args: readonly string[]): void {
    const log = openSync(join(this.#folder, 'log'), 'a');
    this.#processes.push(spawn(program, args, { stdio: ['ignore', log, log] }));
  }

  #log(): string {
    return readFileSync(join(this.#folder, 'log'), 'utf8');
  }

  #accountKeys(): string[] {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs1', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
    return [`--service-account-signing-key-file=${this.#write('account.key', privateKey)}`, `--service-account-key-file=${this.#write('account.pub', publicKey)}`];
  }

  #write(name: string, text: string): string {
    const file = join(this.#folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === 'object' ? address.port : 0;
}
