// The demo as a new user meets it: every command that it prints does what it says, and Ctrl-C ends everything.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { eventually } from '../support/fairlead-http.ts';

const CLI = fileURLToPath(new URL('../../controller/cli.ts', import.meta.url));

test('every printed curl command gives what the demo says', async (t) => {
  const child = spawn(process.execPath, [CLI, 'demo'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  await eventually('the instructions are printed', () => text.includes('Ctrl-C ends everything') || (child.exitCode !== null && Promise.reject(new Error(text))));

  const commands = text.split('\n').filter((line) => line.startsWith('  curl ')).map((line) => line.trim().replace('--max-time 2', '--max-time 8'));
  t.is(commands.length, 6);
  const [host = '', path = '', tls = '', redirect = '', socket = '', table = ''] = await Promise.all(commands.map(shell));
  t.regex(host, /^blog-[12] pages got GET \/\n/);
  t.regex(path, /^blog-[12] api got GET \/api\/posts\n/);
  t.regex(tls, /^shop-[12] got GET \/cart\n/);
  t.regex(redirect, /^HTTP\/1\.1 308 [^]*\r\nlocation: https:\/\/shop\.example\.com\/cart\r\n/i);
  t.regex(socket, /^HTTP\/1\.1 101 [^]*shop-[12] echoes what you send to \/live/);
  t.regex(table, /blog\.example\.com {2}on http\+https\n/);

  const ca = /--cacert (\S+)/.exec(text)?.[1] ?? '';
  t.true(existsSync(ca));
  child.kill('SIGINT');
  t.is(await ended, 0);
  t.false(existsSync(ca));
});

/** What a command prints on standard output. */
function shell(command: string): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.once('close', () => resolve(text));
  });
}
