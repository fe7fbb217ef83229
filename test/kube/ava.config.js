// Test runner settings of the integration suite (npm run test:kube): as for the other tests, with time for real servers to start.
export default {
  extensions: ['ts'],
  require: ['./test/support/process-end.ts'],
  files: ['test/kube/**/*.test.ts'],
  workerThreads: false,
  concurrency: 2,
  timeout: '120s',
  environmentVariables: { NODE_COMPILE_CACHE: new URL('../../tmp/compiled', import.meta.url).pathname },
};
