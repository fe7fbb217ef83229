// Worker process entry. Signals are the primary's, which tells its workers what to do: one that is sent to the whole process group
// must not take them down under it. Nothing is imported before that is so, because to load the rest takes most of a worker's start.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);

await import('./serve.ts');
