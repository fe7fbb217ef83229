// Given to every process of a Fairlead by NODE_OPTIONS: a worker collects its garbage when it gets SIGUSR2, so that a test sees what
// memory is needed, and not when V8 last happened to look.
if (process.env['FAIRLEAD_WORKER'] !== undefined) {
  process.on('SIGUSR2', () => (globalThis.gc as ((options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void) | undefined)?.({ type: 'major', flavor: 'last-resort' }));
}
