// Endpoints whose answers a test writes itself, and a data plane in front of them; all of it ends with the test. And a
// crowd of keep-alive clients, with what came of each of their requests.
import http from 'node:http';
import type net from 'node:net';
import type { ExecutionContext } from 'ava';
import type { Cluster, Endpoint } from '../../proxy/table/cluster.ts';
import type { Forward } from '../../proxy/table/route.ts';
import { endpoint, simpleTable, startDataPlane } from './data-plane.ts';
import type { DataPlane, DataPlaneOptions } from './data-plane.ts';
import { startRecordingEndpoint } from './recording-endpoint.ts';
import type { RecordingEndpoint } from './recording-endpoint.ts';
import type { ParsedMessage } from './strict-http1.ts';

/** The bytes of a response; undefined keeps silent. */
export type AnswerWith = (request: ParsedMessage, socket: net.Socket) => string | Buffer | undefined;

export interface ForwardPlane extends DataPlane {
  readonly backends: readonly RecordingEndpoint[];
  readonly endpoints: readonly Endpoint[];
  /** Requests that reached each endpoint. */
  counts(): number[];
}

export interface ForwardPlaneOptions extends DataPlaneOptions {
  readonly forward?: Partial<Omit<Forward, 'type'>>;
  readonly cluster?: Partial<Cluster>;
}

export async function forwardPlane(t: ExecutionContext, answers: readonly AnswerWith[], { forward, cluster, ...options }: ForwardPlaneOptions = {}): Promise<ForwardPlane> {
  const backends = await Promise.all(answers.map((answer) => startRecordingEndpoint(answer)));
  const endpoints = backends.map(({ port }) => endpoint(port));
  const plane = await startDataPlane(simpleTable(endpoints, forward, cluster), options);
  t.teardown(async () => {
    await plane.close();
    await Promise.all(backends.map((backend) => backend.close()));
  });
  return { ...plane, backends, endpoints, counts: () => backends.map((backend) => backend.requests().length) };
}

export function answer(status: number, body: string, headers = ''): string {
  return `HTTP/1.1 ${status} X\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export const ok: AnswerWith = (_request, socket) => answer(200, `from ${socket.localPort}`);
/** Resets the connection before any byte of an answer. */
export const reset: AnswerWith = (_request, socket) => void socket.resetAndDestroy();
export const silent: AnswerWith = () => undefined;

export interface CrowdOptions {
  readonly count: number;
  readonly clients?: number;
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  /** Requests a second; as fast as they come if it is left out. */
  readonly rate?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came of the requests: `200`, `502 body`, or the message of an error, with how often. */
export async function crowd(port: number, { count, clients = 16, method = 'GET', path = '/', body, rate, headers }: CrowdOptions): Promise<Map<string, number>> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
  const outcomes = new Map<string, number>();
  const note = (what: string): void => void outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const failed = (error: Error): void => {
        note(error.message);
        resolve();
      };
      const request = http.request({ port, host: '127.0.0.1', method, path, agent, headers: { host: 'a.example', ...headers } }, (response) => {
        response.resume();
        response.on('error', failed);
        response.on('end', () => {
          note(String(response.statusCode));
          resolve();
        });
      });
      request.on('error', failed);
      request.end(body);
    });
  const startedAt = performance.now();
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (sent < count) {
      const due = rate === undefined ? 0 : startedAt + (sent / rate) * 1000 - performance.now();
      sent++;
      if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
      await one();
    }
  };
  await Promise.all(Array.from({ length: clients }, worker));
  agent.destroy();
  return outcomes;
}
