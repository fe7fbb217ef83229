// One network namespace: a pod, a node, the client or the load balancer. Everything that a test starts in it ends with it.
import { execFile, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { Capture } from './capture.ts';
import { installCounters, quiet, takeCounters } from './counters.ts';
import type { Counts } from './counters.ts';
import { fetchFrom } from './fetch.ts';
import type { Answer, FetchOptions } from './fetch.ts';
import { SocketMaker } from './sockets.ts';
import { tool } from './tools.ts';

export interface Result {
  /** Exit code; 128 if it was ended by a signal. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Host {
  readonly name: string;
  /** Path of the namespace's file. */
  readonly path: string;
  /** Its own address; of a pod, the pod IP. */
  readonly ipv4: string;
  readonly ipv6: string;
  readonly #children = new Set<ChildProcess>();
  readonly #captures = new Set<Capture>();
  readonly #listening: (Server | UdpSocket)[] = [];
  #sockets: SocketMaker | undefined;
  #counted: readonly string[] | undefined;
  #linkStatistics = '';

  constructor(name: string, path: string, ipv4: string, ipv6: string) {
    this.name = name;
    this.path = path;
    this.ipv4 = ipv4;
    this.ipv6 = ipv6;
  }

  /** Runs a command to its end. Never rejects for its exit code. */
  exec(command: string, args: readonly string[] = [], timeoutMs = 20_000): Promise<Result> {
    return new Promise((resolve) => {
      execFile(tool('nsenter'), [`--net=${this.path}`, command, ...args], { timeout: timeoutMs, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** The same for set-up steps: at once, and a failure is an error. */
  must(command: string, args: readonly string[], input = ''): string {
    const result = spawnSync(tool('nsenter'), [`--net=${this.path}`, command, ...args], { input, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`${this.name}: ${command} ${args.join(' ')}: ${result.error?.message ?? result.stderr}`);
    return result.stdout;
  }

  /** Starts a program that runs until the host is disposed of. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn(tool('nsenter'), [`--net=${this.path}`, command, ...args], { stdio: ['ignore', 'ignore', 'inherit'], ...options, detached: true });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** A listening socket of this namespace, served by this process. */
  async listen(port: number, address = '0.0.0.0'): Promise<Server> {
    const server = await this.#maker().listen(port, address);
    this.#listening.push(server);
    return server;
  }

  async bindUdp(port: number, address = '0.0.0.0'): Promise<UdpSocket> {
    const socket = await this.#maker().bindUdp(port, address);
    this.#listening.push(socket);
    return socket;
  }

  connect(port: number, address: string): Promise<Socket> {
    return this.#maker().connect(port, address);
  }

  fetch(url: string, options?: FetchOptions): Promise<Answer> {
    return fetchFrom(this, url, options);
  }

  /** curl without progress, with errors on stderr. */
  curl(...args: readonly string[]): Promise<Result> {
    return this.exec(tool('curl'), ['-sS', '--max-time', '15', ...args]);
  }

  /** tcpdump on all links. */
  async capture(filter = 'tcp'): Promise<Capture> {
    const capture = await Capture.start(this.path, filter);
    this.#captures.add(capture);
    return capture;
  }

  /** Packets on every link while `work` runs, until it is quiet again. */
  async count(work: () => Promise<unknown>): Promise<Counts> {
    await this.startCount();
    await work();
    await this.quiet();
    return this.takeCount();
  }

  /** Begins at zero. All links but lo. */
  async startCount(): Promise<void> {
    if (this.#counted === undefined) {
      this.#counted = (JSON.parse(this.must(tool('ip'), ['-j', 'link'])) as readonly { readonly ifname: string }[]).map((link) => link.ifname).filter((name) => name !== 'lo');
      installCounters(this.path, this.#counted);
      // A process whose /proc/PID/net shows the namespace's links: cheaper to read than nft's counters.
      const watcher = this.spawn('sh', ['-c', 'echo; exec sleep infinity'], { stdio: ['ignore', 'pipe', 'inherit'] });
      if (watcher.stdout !== null) await once(watcher.stdout, 'data');
      this.#linkStatistics = `/proc/${watcher.pid}/net/dev`;
    } else {
      this.takeCount();
    }
  }

  /** Resolves when no packet has passed for longer than a delayed acknowledgement takes. */
  quiet(): Promise<void> {
    return quiet(() => readFileSync(this.#linkStatistics, 'utf8'));
  }

  takeCount(): Counts {
    return takeCounters(this.path, this.#counted ?? []);
  }

  dispose(): void {
    for (const child of this.#children) killGroup(child);
    for (const capture of this.#captures) capture.kill();
    for (const socket of this.#listening) socket.close();
    this.#sockets?.close();
  }

  #maker(): SocketMaker {
    this.#sockets ??= new SocketMaker(this.path);
    return this.#sockets;
  }
}

/** A program and the processes that it started: `detached` gave them a group of their own. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // ended already
  }
}
