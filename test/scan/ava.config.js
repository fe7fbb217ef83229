// `npm run test:testssl`: minutes long, and therefore apart.
export default { extensions: ['ts'], files: ['test/scan/*.test.ts'], workerThreads: false, concurrency: 1, timeout: '10m' };
