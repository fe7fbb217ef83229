// Fairlead itself as a program in a namespace: in a pod, or on a node's own network.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { killGroup } from '../host.ts';
import type { Host } from '../host.ts';

const CLI = fileURLToPath(new URL('../../../controller/cli.ts', import.meta.url));
const READY_MS = 20_000;

export interface FairleadOptions {
  /** Folder of manifests. */
  readonly manifests: string;
  /** Absent: 8080, 8443, 10254, as in its pods. */
  readonly httpPort?: number;
  readonly httpsPort?: number;
  readonly adminPort?: number;
  /** 1 if absent. */
  readonly workers?: number;
  /** Further flags of `fairlead run`. */
  readonly flags?: readonly string[];
}

/** A line of its access log, or of its standard output in general. */
export type LogLine = Readonly<Record<string, unknown>>;

export class Fairlead {
  readonly host: Host;
  /** Everything that it has written on standard output, in order. */
  readonly lines: LogLine[] = [];
  readonly #child: ChildProcess;

  private constructor(host: Host, child: ChildProcess) {
    this.host = host;
    this.#child = child;
  }

  /** Resolves when every worker serves. Rejects if it ends before that. */
  static async start(host: Host, options: FairleadOptions): Promise<Fairlead> {
    const args = [
      CLI, 'run', '--manifests', options.manifests, '--workers', String(options.workers ?? 1), '--log-level', 'error',
      '--http-port', String(options.httpPort ?? 8080), '--https-port', String(options.httpsPort ?? 8443), '--admin-port', String(options.adminPort ?? 10254),
      ...(options.flags ?? []),
    ];
    const child = host.spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const fairlead = new Fairlead(host, child);
    await fairlead.#ready();
    return fairlead;
  }

  /** Resolves when a line of standard output fits. */
  async line(fits: (line: LogLine) => boolean, timeoutMs = 5000): Promise<LogLine> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const found = this.lines.find(fits);
      if (found !== undefined) return found;
      if (performance.now() > end) throw new Error(`Fairlead did not write the line within ${timeoutMs} ms; it wrote ${JSON.stringify(this.lines.slice(-5))}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** SIGTERM, and its exit code. */
  async stop(): Promise<number | null> {
    const exited = once(this.#child, 'exit') as Promise<[number | null]>;
    this.#child.kill('SIGTERM');
    const [code] = await exited;
    return code;
  }

  kill(): void {
    killGroup(this.#child);
  }

  async #ready(): Promise<void> {
    if (this.#child.stdout === null) throw new Error('no standard output');
    createInterface(this.#child.stdout).on('line', (text) => this.lines.push(parsed(text)));
    let ended = false;
    this.#child.once('exit', () => (ended = true));
    await this.line((line) => {
      if (ended) throw new Error('Fairlead ended before it was ready');
      return line['msg'] === 'ready';
    }, READY_MS);
  }
}

function parsed(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { text };
  }
}
