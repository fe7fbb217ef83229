// A worker process that says that it has drained, and stays.
import type { FromWorker, ToWorker } from '../../proxy/table/messages.ts';

const say = (message: FromWorker): void => {
  process.send?.(message);
};

process.on('message', (raw) => {
  const message = raw as ToWorker;
  if (message.type === 'ping') say({ type: 'pong' });
  else if (message.type === 'snapshot') say({ type: 'applied', version: message.snapshot.version, ports: { http: 40_000 } });
  else if (message.type === 'drain') say({ type: 'drained', cut: 3 });
});
process.on('disconnect', () => process.exit(0));
say({ type: 'hello' });
