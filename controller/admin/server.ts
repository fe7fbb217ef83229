// The admin port: health, readiness, metrics, the routing table and the problems, for probes, Prometheus and people.
// It reads and never changes anything. What it shows is text or JSON that no browser may interpret as anything else.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { printTable, printable } from '../../proxy/table/print.ts';
import { placeProblems, problemsJson, problemsText } from '../report.ts';
import type { AdminView } from './view.ts';

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
};
const INDEX = `Fairlead

/healthz    200 while the process runs
/readyz     200 while traffic is served; 503 before that and while draining
/metrics    Prometheus
/table      the routing table in matching order; ?output=json for programs
/problems   what is wrong in the manifests; ?output=json for programs
`;

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Resolves with the server when it listens. Rejects if the address cannot be bound. */
export function startAdmin(address: string, port: number, view: AdminView): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 30_000 }, (request, response) => {
    page(request, view).then(
      (result) => answer(request, response, result),
      (error: unknown) => answer(request, response, text(500, `${error instanceof Error ? error.message : String(error)}\n`)),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve({ server, port: (server.address() as AddressInfo).port });
    });
  });
}

async function page(request: IncomingMessage, view: AdminView): Promise<Page> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET and HEAD\n');
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  const asJson = new URLSearchParams(query).get('output') === 'json' || (request.headers.accept ?? '').includes('application/json');
  switch (path) {
    case '/':
      return text(200, INDEX);
    case '/healthz':
      return text(200, 'ok\n');
    case '/readyz':
      return readiness(view);
    case '/metrics':
      return { status: 200, type: METRICS_TYPE, body: await view.metrics() };
    case '/table':
      return asJson ? json(printable(view.snapshot())) : text(200, printTable(view.snapshot()));
    case '/problems':
      return problemsPage(view, asJson);
    default:
      return text(404, INDEX);
  }
}

async function problemsPage(view: AdminView, asJson: boolean): Promise<Page> {
  const placed = await placeProblems(view.problems(), view.locate);
  return asJson ? json(problemsJson(placed)) : text(200, problemsText(placed));
}

function readiness(view: AdminView): Page {
  const reason = view.notReady();
  return reason === undefined ? text(200, 'ok\n') : text(503, `${reason}\n`);
}

function text(status: number, body: string): Page {
  return { status, type: TEXT_TYPE, body };
}

function json(value: unknown): Page {
  return { status: 200, type: JSON_TYPE, body: `${JSON.stringify(value, undefined, 2)}\n` };
}

function answer(request: IncomingMessage, response: ServerResponse, { status, type, body }: Page): void {
  response.writeHead(status, { ...HEADERS, 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(request.method === 'HEAD' ? undefined : body);
}
