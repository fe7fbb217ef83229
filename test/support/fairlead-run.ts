// Starts a real Fairlead (the command line, its primary and its workers) on a folder of its own, and gives its ports, its
// log and its access log. Everything ends with the test.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

export const CLI = fileURLToPath(new URL('../../controller/cli.ts', import.meta.url));
const READY_MS = 30_000;

/** A line of the log or of the access log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface FairleadRun {
  readonly http: number;
  readonly https: number;
  readonly admin: number;
  /** The folder that is served. */
  readonly dir: string;
  readonly child: ChildProcess;
  /** Standard error, line by line as it comes. */
  readonly log: readonly LogLine[];
  /** Standard output but the ready line. */
  readonly accessLog: readonly LogLine[];
  /** Writes a file of the folder as editors do: another file first, then a rename. */
  write(name: string, text: string): void;
  remove(name: string): void;
  /** Sends SIGTERM and resolves with the exit code, or the signal's name. */
  stop(): Promise<number | string>;
}

export interface RunOptions {
  /** Name → text of the files in the folder. */
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Flags that name where objects come from; absent: the folder. */
  readonly source?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A folder that goes away with the test. */
export function temporaryFolder(t: ExecutionContext, files: Readonly<Record<string, string>> = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeAtomically(dir, name, text);
  return dir;
}

/** Resolves when every worker serves. Ports are free ones, on 127.0.0.1, with one worker, unless `args` say otherwise. */
export async function startFairlead(t: ExecutionContext, options: RunOptions = {}): Promise<FairleadRun> {
  const dir = temporaryFolder(t, options.files);
  const free = ['--http-port', '0', '--https-port', '0', '--admin-port', '0', '--bind', '127.0.0.1', '--workers', '1'];
  const child = spawn(process.execPath, [CLI, 'run', ...(options.source ?? ['--manifests', dir]), ...free, ...(options.args ?? [])], { env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | string>((resolve) => child.once('exit', (code, signal) => resolve(code ?? String(signal))));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const log: LogLine[] = [];
  const accessLog: LogLine[] = [];
  readLines(child.stderr, (line) => log.push(line));
  const ready = await new Promise<LogLine>((resolve, reject) => {
    readLines(child.stdout, (line) => (line['msg'] === 'ready' ? resolve(line) : accessLog.push(line)));
    void ended.then((how) => reject(new Error(`fairlead ended with ${how} before it was ready: ${JSON.stringify(log)}`)));
    setTimeout(() => reject(new Error(`fairlead is not ready after ${READY_MS} ms: ${JSON.stringify(log)}`)), READY_MS).unref();
  });
  return {
    http: Number(ready['http']),
    https: Number(ready['https']),
    admin: Number(ready['admin']),
    dir,
    child,
    log,
    accessLog,
    write: (name, text) => writeAtomically(dir, name, text),
    remove: (name) => rmSync(join(dir, name)),
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

/** The processes that it started and that are still there: of a Fairlead its workers. Throws if it is gone itself. */
export function childrenOf(pid: number | undefined): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((child) => child !== '').map(Number);
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command to its end; `endAt`: SIGTERM is sent when standard error holds this text. */
export function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}, endAt?: string): Promise<CliResult> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (endAt !== undefined && !stderr.includes(endAt) && (stderr + text).includes(endAt)) child.kill('SIGTERM');
      stderr += text;
    });
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

function readLines(stream: NodeJS.ReadableStream | null, take: (line: LogLine) => void): void {
  if (stream === null) return;
  createInterface({ input: stream }).on('line', (line) => {
    try {
      take(JSON.parse(line) as LogLine);
    } catch {
      take({ notJson: line });
    }
  });
}

function writeAtomically(dir: string, name: string, text: string): void {
  const file = join(dir, name);
  mkdirSync(dirname(file), { recursive: true });
  const temporary = join(dirname(file), `.${process.pid}-${Math.random().toString(36).slice(2)}.tmp`);
  writeFileSync(temporary, text);
  renameSync(temporary, file);
}
