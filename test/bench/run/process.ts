// Programs of a bench run: started, pinned to processors, waited for, and ended by their own process id. Whatever is still
// alive when the bench itself ends is killed then, so that no run leaves anything behind.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { processTree } from './meters.ts';

const STOP_MS = 5000;
const running = new Set<ChildProcess>();

export interface StartOptions {
  /** Processors as taskset takes them, such as `0` or `0,1`; absent: any. */
  readonly cpus: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Program {
  readonly pid: number;
  /** The whole standard output until now. */
  output(): string;
  /** The end of standard error until now. */
  errors(): string;
  /** To its standard input. */
  write(text: string): void;
  /** Resolves with the exit code, or with the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** SIGTERM, and SIGKILL to it and its children when that takes more than five seconds. */
  stop(): Promise<void>;
}

export function start(command: string, args: readonly string[], options: StartOptions): Program {
  const line = options.cpus === undefined ? [command, ...args] : ['taskset', '-c', options.cpus, command, ...args];
  const child = spawn(line[0]!, line.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let output = '';
  let errors = '';
  running.add(child);
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4000)));
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number | string>((resolve) => {
    child.once('error', (error) => {
      running.delete(child);
      errors += error.message;
      resolve(error.message);
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? signal ?? 0);
    });
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    output: () => output,
    errors: () => errors,
    write: (text) => void child.stdin.write(text),
    ended,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null || pid === 0) return;
      const family = processTree(pid);
      child.kill('SIGTERM');
      if ((await Promise.race([ended, pause(STOP_MS, 'late', { ref: false })])) !== 'late') return;
      for (const member of family) kill(member);
      await ended;
    },
  };
}

/** Runs a program to its end and gives its standard output. Rejects if it fails or takes longer than `limitMs`. */
export async function runToEnd(command: string, args: readonly string[], options: StartOptions, limitMs: number): Promise<string> {
  const program = start(command, args, options);
  const end = await Promise.race([program.ended, pause(limitMs, 'late', { ref: false })]);
  if (end === 'late') await program.stop();
  if (end !== 0) throw new Error(`${command} ${args.join(' ').slice(0, 300)}: ${end === 'late' ? `not done after ${limitMs} ms` : end}: ${program.errors()}`);
  return program.output();
}

/** Waits until `ready` gives something, and gives it back. Rejects if the program ends first, `limitMs` pass, or standard error shows that it is `failing`. */
export async function waitFor<T>(program: Program, what: string, ready: () => T | undefined | Promise<T | undefined>, limitMs = 20_000, failing: (errors: string) => boolean = () => false): Promise<T> {
  let end: number | string | undefined;
  void program.ended.then((value) => (end = value));
  for (const deadline = performance.now() + limitMs; performance.now() < deadline; ) {
    const value = await ready();
    if (value !== undefined) return value;
    if (end !== undefined) throw new Error(`${what} ended with ${end}: ${program.errors()}`);
    if (failing(program.errors())) break;
    await pause(20);
  }
  await program.stop();
  throw new Error(`${what} was not ready in time: ${program.errors()}`);
}

/** A port of 127.0.0.1 that nobody used a moment ago, for programs that cannot choose one themselves. */
export function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it was gone already
  }
}

process.on('exit', () => {
  for (const child of running) if (child.pid !== undefined) for (const pid of processTree(child.pid)) kill(pid);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
