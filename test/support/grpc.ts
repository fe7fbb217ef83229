// A gRPC application and its clients on @grpc/grpc-js. Messages are plain bytes, so that no schema is needed; what a method
// does is told by the metadata of the call.
import type { EventEmitter } from 'node:events';
import { Client, Metadata, Server, ServerCredentials, credentials, status } from '@grpc/grpc-js';
import type { CallOptions, ClientDuplexStream, ClientUnaryCall, ClientWritableStream, ClientReadableStream, ServiceDefinition, ServiceError, StatusObject, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ServerDuplexStream, ServerReadableStream, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';

const asIs = (bytes: Buffer): Buffer => bytes;

function method(name: string, requestStream: boolean, responseStream: boolean): ServiceDefinition[string] {
  return { path: `/test.Echo/${name}`, requestStream, responseStream, requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
}

const SERVICE: ServiceDefinition = {
  Say: method('Say', false, false),
  Collect: method('Collect', true, false),
  Count: method('Count', false, true),
  Chat: method('Chat', true, true),
};

export interface GrpcApp {
  readonly port: number;
  /** Methods that were called, in order. */
  readonly calls: string[];
  /** Methods whose calls were cancelled. */
  readonly cancelled: string[];
  /** Metadata of the last call, its `:authority`, and the milliseconds that it has. */
  metadata: Metadata;
  authority: string;
  timeLeft: number;
  readonly server: Server;
}

export interface GrpcTls {
  readonly cert: string;
  readonly key: string;
}

/** What every kind of call has. */
type Call = Pick<ServerUnaryCall<Buffer, Buffer>, 'metadata' | 'getDeadline' | 'getHost' | 'sendMetadata'> & EventEmitter;

/**
 * `Say` echoes, `Collect` says the number of messages and of bytes, `Count` sends as many messages as the request says,
 * `Chat` echoes each message. Metadata `fail: <code>` makes a call fail, `hang: 1` leaves it without an answer, `size: <n>`
 * is the size of the messages of `Count`, and all that begins with `x-` comes back in the head and in the trailers.
 */
export async function startGrpcApp(t: ExecutionContext, tls?: GrpcTls): Promise<GrpcApp> {
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  const begin = (name: string, call: Call): { readonly failure: Partial<ServiceError> | undefined; readonly hangs: boolean; readonly trailers: Metadata } => {
    app.calls.push(name);
    app.metadata = call.metadata;
    app.authority = call.getHost();
    app.timeLeft = Number(call.getDeadline()) - Date.now();
    call.on('cancelled', () => app.cancelled.push(name));
    const trailers = new Metadata();
    const head = new Metadata();
    for (const [key, value] of Object.entries(call.metadata.getMap())) {
      if (!key.startsWith('x-') || key.startsWith('x-forwarded') || key.startsWith('x-re') || key === 'x-scheme') continue;
      head.set(key, value);
      trailers.set(key, value);
    }
    if (Object.keys(head.getMap()).length > 0) call.sendMetadata(head);
    const code = call.metadata.get('fail')[0];
    const failure = code === undefined ? undefined : { code: Number(code) as status, details: `failed as told: ${code}, \u00fcber`, metadata: trailers };
    return { failure, hangs: call.metadata.get('hang').length > 0, trailers };
  };
  const implementation: UntypedServiceImplementation = {
    Say: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      const { failure, hangs, trailers } = begin('Say', call);
      if (failure !== undefined) done(failure);
      else if (!hangs) done(null, call.request, trailers);
    },
    Collect: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      const { failure, hangs, trailers } = begin('Collect', call);
      let messages = 0;
      let bytes = 0;
      if (failure !== undefined) return done(failure);
      call.on('data', (message: Buffer) => {
        messages++;
        bytes += message.length;
      });
      call.on('end', () => hangs || done(null, Buffer.from(`${messages} ${bytes}`), trailers));
    },
    Count: (call: ServerWritableStream<Buffer, Buffer>) => {
      const { failure, hangs, trailers } = begin('Count', call);
      const total = Number(call.request.toString());
      const size = Number(call.metadata.get('size')[0] ?? 0);
      let sent = 0;
      const more = (): void => {
        while (sent < total) {
          sent++;
          const text = Buffer.from(String(sent));
          if (!call.write(size === 0 ? text : Buffer.alloc(size, text)) && sent < total) return void call.once('drain', more);
        }
        if (failure !== undefined) call.emit('error', failure);
        else if (!hangs) call.end(trailers);
      };
      more();
    },
    Chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
      const { failure, trailers } = begin('Chat', call);
      call.on('data', (message: Buffer) => call.write(message));
      call.on('error', () => {});
      call.on('end', () => (failure === undefined ? call.end(trailers) : call.emit('error', failure)));
    },
  };
  server.addService(SERVICE, implementation);
  const secure = tls === undefined ? ServerCredentials.createInsecure() : ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }]);
  const port = await new Promise<number>((resolve, reject) => server.bindAsync('127.0.0.1:0', secure, (error, bound) => (error === null ? resolve(bound) : reject(error))));
  t.teardown(() => server.forceShutdown());
  const app: GrpcApp = { port, calls: [], cancelled: [], metadata: new Metadata(), authority: '', timeLeft: 0, server };
  return app;
}

/** How a call ended, and what came of it. */
export interface Outcome {
  readonly code: status;
  readonly details: string;
  readonly messages: Buffer[];
  readonly head: Metadata | undefined;
  readonly trailers: Metadata;
}

/** A client of the application through a proxy. */
export class GrpcClient {
  readonly client: Client;

  /** `rootPem`: over TLS, trusting this; else clear text. Calls have a deadline of ten seconds, where nothing else is said. */
  constructor(t: ExecutionContext, port: number, options: { readonly rootPem?: string; readonly authority?: string } = {}) {
    const { rootPem, authority = 'grpc.test' } = options;
    this.client = new Client(`127.0.0.1:${port}`, rootPem === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(rootPem)), {
      'grpc.default_authority': authority,
      'grpc.ssl_target_name_override': authority,
      'grpc.max_receive_message_length': -1,
      'grpc.enable_retries': 0,
    });
    t.teardown(() => this.client.close());
  }

  say(message: Buffer | string, metadata = new Metadata(), options: CallOptions = {}): Promise<Outcome> & { call: ClientUnaryCall } {
    let call!: ClientUnaryCall;
    const over = this.#outcome((answer) => (call = this.client.makeUnaryRequest('/test.Echo/Say', asIs, asIs, Buffer.from(message), metadata, this.#with(options), answer)));
    return Object.assign(over, { call });
  }

  /** The caller writes and ends. */
  collect(metadata = new Metadata(), options: CallOptions = {}): { call: ClientWritableStream<Buffer>; over: Promise<Outcome> } {
    let call!: ClientWritableStream<Buffer>;
    const over = this.#outcome((answer) => (call = this.client.makeClientStreamRequest('/test.Echo/Collect', asIs, asIs, metadata, this.#with(options), answer)));
    return { call, over };
  }

  count(messages: number, metadata = new Metadata(), options: CallOptions = {}): { call: ClientReadableStream<Buffer>; over: Promise<Outcome> } {
    const call = this.client.makeServerStreamRequest('/test.Echo/Count', asIs, asIs, Buffer.from(String(messages)), metadata, this.#with(options));
    return { call, over: this.#outcome(() => call) };
  }

  chat(metadata = new Metadata(), options: CallOptions = {}): { call: ClientDuplexStream<Buffer, Buffer>; over: Promise<Outcome> } {
    const call = this.client.makeBidiStreamRequest('/test.Echo/Chat', asIs, asIs, metadata, this.#with(options));
    return { call, over: this.#outcome(() => call) };
  }

  /** Any path. */
  call(path: string): Promise<Outcome> {
    return this.#outcome((answer) => this.client.makeUnaryRequest(path, asIs, asIs, Buffer.from('x'), new Metadata(), this.#with({}), answer));
  }

  #with(options: CallOptions): CallOptions {
    return { deadline: Date.now() + 10_000, ...options };
  }

  #outcome(start: (answer: (error: ServiceError | null, message?: Buffer) => void) => EventEmitter): Promise<Outcome> {
    return new Promise((resolve) => {
      const messages: Buffer[] = [];
      let head: Metadata | undefined;
      const call = start((error, message) => {
        if (error === null && message !== undefined) messages.push(message);
      });
      call.on('metadata', (metadata: Metadata) => (head = metadata));
      call.on('error', () => {});
      if ('read' in call) call.on('data', (message: Buffer) => messages.push(message));
      call.on('status', ({ code, details, metadata }: StatusObject) => setImmediate(() => resolve({ code, details, messages, head, trailers: metadata })));
    });
  }
}

/** Metadata out of pairs. */
export function metadata(...pairs: readonly (readonly [string, string | Buffer])[]): Metadata {
  const made = new Metadata();
  for (const [key, value] of pairs) made.add(key, value);
  return made;
}
