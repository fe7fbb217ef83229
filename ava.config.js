// Test runner settings: TypeScript is run by Node itself, and every test file has a process of its own,
// because tests start servers, child processes and signal handlers.
export default {
  extensions: ['ts'],
  require: ['./test/support/process-end.ts'],
  files: ['test/**/*.test.ts', '!test/lab/**', '!test/bench/**', '!test/kube/**', '!test/scan/**'],
  workerThreads: false,
  concurrency: 2,
  timeout: '90s',
  // Compiled sources: hundreds of processes start in two thirds of the time.
  environmentVariables: { NODE_COMPILE_CACHE: new URL('tmp/compiled', import.meta.url).pathname },
};
