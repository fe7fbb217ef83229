// Where and with what the figures were made: without that they mean nothing.
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { runToEnd } from '../run/process.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const ANY = { cpus: undefined };
const LIMIT_MS = 10_000;

/** Lines of Markdown: commit, date, machine, and the versions of all that took part. */
export async function describeMachine(): Promise<readonly string[]> {
  const git = async (...args: string[]): Promise<string> => (await firstLine('git', ['-C', ROOT, ...args])) ?? '';
  const changed = (await git('status', '--porcelain', '--untracked-files=no', '--', 'proxy', 'controller', 'certs')) === '' ? '' : ', with changes that are not committed';
  const programs = await Promise.all([
    version('nginx', ['-v']), version('haproxy', ['-v']), version('caddy', ['version']), version('wrk', ['-v']), version('h2load', ['--version']), version('openssl', ['version']),
  ]);
  return [
    `- Commit ${(await git('rev-parse', '--short=10', 'HEAD')) || 'unknown'}${changed}; ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `- ${availableParallelism()} processors (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `- Node ${process.versions.node} (OpenSSL ${process.versions.openssl}), ${programs.join(', ')}`,
  ];
}

async function version(program: string, args: readonly string[]): Promise<string> {
  const line = await firstLine(program, args);
  const found = /\d+\.\d+[\w.+~-]*/.exec(line ?? '')?.[0];
  return `${program} ${found ?? 'missing'}`;
}

/** Some programs say their version on standard error, and some with a code that is not 0. */
async function firstLine(program: string, args: readonly string[]): Promise<string | undefined> {
  const shell = ['-c', '"$0" "$@" 2>&1 || true', program, ...args];
  const output = await runToEnd('sh', shell, ANY, LIMIT_MS).catch(() => '');
  return output.split('\n')[0]?.trim();
}
