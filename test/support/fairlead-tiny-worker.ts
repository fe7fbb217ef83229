// A worker process that speaks the messages of proxy/table/messages.ts and serves nothing: for tests of what the primary
// does with its workers. It applies whatever it is sent, asks for a snapshot when a delta does not fit, and counts tables.
import type { FromWorker, ToWorker, WorkerOptions } from '../../proxy/table/messages.ts';

const options = JSON.parse(process.env['FAIRLEAD_WORKER'] ?? '{}') as WorkerOptions;
let version = 0;
let tables = 0;
let ports: Record<string, number> = {};

const say = (message: FromWorker): void => {
  process.send?.(message);
};

process.on('message', (raw) => {
  const message = raw as ToWorker;
  if (message.type === 'ping') say({ type: 'pong' });
  else if (message.type === 'collect') say({ type: 'stats', id: message.id, stats: { counters: { 'tables\u0000': tables }, gauges: { 'version\u0000': version }, histograms: {} } });
  else if (message.type === 'drain') process.exit(0);
  else if (message.type === 'snapshot') {
    ports = Object.fromEntries(Object.values(message.snapshot.listeners).map(({ name, port }) => [name, port === 0 ? 40_000 + options.index : port]));
    applied(message.snapshot.version);
  } else if (message.type === 'delta') {
    if (message.delta.base === version) applied(message.delta.version);
    else say({ type: 'resync', have: version });
  }
});
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit(0));
say({ type: 'hello' });

function applied(next: number): void {
  version = next;
  tables++;
  say({ type: 'applied', version, ports });
}
