// Loaded before every test file (ava.config.js): its process ends when its tests are over, and does not wait for what may be open still.
// Node 26 spins for ever in an exit of its own accord if a socket was reset while its end was on the way, as tests do on purpose; then
// all tests of a suite have passed, and the runner gives up on the file that does not end. `process.exit` does not come by there.
import { flushCompileCache } from 'node:module';
import { registerCompletionHandler } from 'ava';

registerCompletionHandler(() => {
  flushCompileCache();
  process.exit();
});
