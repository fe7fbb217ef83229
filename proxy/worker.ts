// Worker process entry. Signals are the primary's, which tells its workers what to do: one that is sent to the whole process group
// must not take them down under it. Nothing is imported before that is so, because to load the rest takes most of a worker's start.
// SIGUSR1 is kept away by a flag (controller/publish/worker-process.ts).
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

await import('./serve.ts');
