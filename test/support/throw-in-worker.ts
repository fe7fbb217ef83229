// Loaded into the processes of a Fairlead with NODE_OPTIONS=--import: a request that says `x-inject: uncaught` or `unhandled`
// meets, in the middle of its way to the endpoint, an exception that no caller can catch.
import net from 'node:net';
import { Writable } from 'node:stream';

const write = Writable.prototype.write;

function inject(this: Writable, ...args: Parameters<typeof write>): boolean {
  const [chunk] = args as readonly unknown[];
  if (this instanceof net.Socket && (typeof chunk === 'string' || Buffer.isBuffer(chunk))) {
    const how = /^x-inject: (\w+)\r$/im.exec(chunk.toString('latin1'))?.[1];
    if (how === 'uncaught') process.nextTick(() => { throw new Error('injected, and caught by nobody'); });
    if (how === 'unhandled') void Promise.reject(new Error('injected, and handled by nobody'));
  }
  return Reflect.apply(write, this, args) as boolean;
}

Object.defineProperty(net.Socket.prototype, 'write', { value: inject, writable: true, configurable: true });
