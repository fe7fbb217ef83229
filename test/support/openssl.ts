// `openssl s_client` as a TLS client: it offers a session under another name than the one it was earned under, which Node's
// own client refuses to do, and so shows what a server does with it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Identity } from './pki.ts';
import { has } from './program.ts';

/** A test that needs the program; without it there is a line that says so. */
export function withOpenssl(title: string, run: (t: ExecutionContext) => Promise<void> | void): void {
  test(title, (t) => (has(t, 'openssl') ? run(t) : t.pass()));
}

export interface SClient {
  /** What it printed, the server's answer among it. */
  readonly output: string;
  readonly resumed: boolean;
  /** Status of the HTTP answer; undefined: there was none. */
  readonly status: number | undefined;
}

export interface SClientOptions {
  readonly port: number;
  readonly serverName: string;
  readonly version: 'tls1_2' | 'tls1_3';
  /** Host of the request that it sends. */
  readonly host?: string;
  readonly client?: Identity;
  readonly saveSession?: string;
  readonly session?: string;
  readonly args?: readonly string[];
}

/** Sends one GET. */
export async function sClient(dir: string, { port, serverName, version, host = serverName, client, saveSession, session, args = [] }: SClientOptions): Promise<SClient> {
  const list = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', serverName, `-${version}`, '-ign_eof', ...args];
  if (client !== undefined) {
    const file = join(dir, `${client.name}.pem`);
    writeFileSync(file, client.certPem + client.keyPem);
    list.push('-cert', file, '-key', file);
    if (client.chainPem !== '' && client.chainPem !== client.certPem) {
      writeFileSync(join(dir, `${client.name}.chain`), client.chainPem);
      list.push('-cert_chain', join(dir, `${client.name}.chain`));
    }
  }
  if (saveSession !== undefined) list.push('-sess_out', join(dir, saveSession));
  if (session !== undefined) list.push('-sess_in', join(dir, session));
  const child = spawn('openssl', list, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined);
  child.stdin.end(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('latin1').on('data', (text: string) => (output += text));
  await new Promise((resolve) => child.once('close', resolve));
  const status = /HTTP\/1\.1 (\d{3})/.exec(output)?.[1];
  return { output, resumed: /^Reused, /m.test(output), status: status === undefined ? undefined : Number(status) };
}

/** A folder that goes away with the test. */
export function folder(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-tls-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
