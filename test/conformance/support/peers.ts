// Debian's nginx and HAProxy as endpoints: each answers every request it understands with 200 after reading its body. They
// listen on a socket in a folder of their own, and end with the test.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

export interface Peer {
  readonly name: string;
  /** Path of the listening socket. */
  readonly socket: string;
}

interface Program {
  readonly name: string;
  readonly config: (dir: string, socket: string) => string;
  readonly args: (dir: string, file: string) => readonly string[];
}

const PROGRAMS: readonly Program[] = [
  {
    name: 'nginx',
    config: (dir, socket) => `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  keepalive_requests 100000; underscores_in_headers on; ignore_invalid_headers off; large_client_header_buffers 8 64k;
  server { listen unix:${socket}; merge_slashes off; location / { return 200 "ok"; } }
}`,
    args: (dir, file) => ['-p', dir, '-e', join(dir, 'error.log'), '-c', file],
  },
  {
    name: 'haproxy',
    config: (_dir, socket) => `global
  maxconn 256
  tune.bufsize 65536
defaults
  mode http
  timeout client 10s
  timeout connect 10s
  timeout server 10s
frontend all
  bind unix@${socket}
  http-request wait-for-body time 5s
  http-request return status 200 content-type text/plain string ok
`,
    args: (_dir, file) => ['-db', '-q', '-f', file],
  },
];

/** Those that are installed; `missing` names the others. */
export async function startPeers(t: ExecutionContext): Promise<{ readonly peers: readonly Peer[]; readonly missing: readonly string[] }> {
  const peers: Peer[] = [];
  const missing: string[] = [];
  for (const program of PROGRAMS) {
    const path = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'].map((dir) => join(dir, program.name)).find(existsSync);
    if (path === undefined || spawnSync(path, ['-v']).status !== 0) missing.push(program.name);
    else peers.push(await start(t, program, path));
  }
  return { peers, missing };
}

async function start(t: ExecutionContext, program: Program, path: string): Promise<Peer> {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-peer-'));
  const socket = join(dir, 'socket');
  const file = join(dir, 'config');
  writeFileSync(file, program.config(dir, socket));
  const child = spawn(path, program.args(dir, file), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  });
  for (const deadline = performance.now() + 10_000; !(await accepts(socket)); await new Promise((resolve) => setTimeout(resolve, 20))) {
    if (performance.now() > deadline) throw new Error(`${program.name} does not listen: ${said}`);
  }
  return { name: program.name, socket };
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
