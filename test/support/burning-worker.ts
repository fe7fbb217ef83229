// A worker process that is asked for its stats and first computes for as many milliseconds as the id of the question says, by the clock.
import type { FromWorker, ToWorker } from '../../proxy/table/messages.ts';

const say = (message: FromWorker): void => {
  process.send?.(message);
};

process.on('message', (raw) => {
  const message = raw as ToWorker;
  if (message.type === 'ping') say({ type: 'pong' });
  else if (message.type === 'snapshot') say({ type: 'applied', version: message.snapshot.version, ports: {} });
  else if (message.type === 'collect') {
    for (const end = performance.now() + message.id; performance.now() < end; );
    say({ type: 'stats', id: message.id, stats: { counters: {}, gauges: {}, histograms: {} } });
  }
});
process.on('disconnect', () => process.exit(0));
say({ type: 'hello' });
