// A gRPC application in a pod, and a client in a namespace, both by @grpc/grpc-js on sockets of the lab. Messages are plain
// bytes, so that no schema is needed.
import { Client, Server, ServerCredentials, credentials } from '@grpc/grpc-js';
import type { ServiceDefinition, UntypedServiceImplementation, sendUnaryData, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import type { Host } from './host.ts';
import type { Target } from './peers/program.ts';
import { openTunnel } from './tunnel.ts';

const asIs = (bytes: Buffer): Buffer => bytes;
const method = (name: string, responseStream: boolean): ServiceDefinition[string] => ({
  path: `/lab.Echo/${name}`, requestStream: false, responseStream, requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
});
const SERVICE: ServiceDefinition = { Say: method('Say', false), Count: method('Count', true) };
const SAY = '/lab.Echo/Say';
const COUNT = '/lab.Echo/Count';

/** Answers `Say` with its name and the message, and `Count` with so many messages as it is told. */
export async function startGrpcApp(host: Host, port: number): Promise<{ close(): void }> {
  const server = new Server();
  const implementation: UntypedServiceImplementation = {
    Say: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, Buffer.from(`${host.name}: ${call.request.toString()}`)),
    Count: (call: ServerWritableStream<Buffer, Buffer>) => {
      for (let i = 1; i <= Number(call.request.toString()); i += 1) call.write(Buffer.from(String(i)));
      call.end();
    },
  };
  server.addService(SERVICE, implementation);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = await host.listen(port);
  listener.on('connection', (socket) => injector.injectConnection(socket));
  return {
    close: () => {
      injector.destroy();
      server.forceShutdown();
    },
  };
}

export interface GrpcAnswer {
  readonly said: string;
  readonly counted: readonly string[];
}

/** One unary and one streaming call on a connection of their own. `chainPem`: over TLS, trusting this certificate alone. */
export async function callGrpc(host: Host, to: Target, authority: string, chainPem?: string): Promise<GrpcAnswer> {
  const tunnel = await openTunnel(host, to);
  const channel = chainPem === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(chainPem));
  const client = new Client(`unix:${tunnel.path}`, channel, { 'grpc.default_authority': authority, 'grpc.ssl_target_name_override': authority });
  const deadline = Date.now() + 5000;
  try {
    const said = await new Promise<string>((resolve, reject) => {
      client.makeUnaryRequest(SAY, asIs, asIs, Buffer.from('hello'), { deadline }, (error, answer) => (error === null ? resolve(String(answer)) : reject(error)));
    });
    const counted = await new Promise<string[]>((resolve, reject) => {
      const messages: string[] = [];
      const call = client.makeServerStreamRequest(COUNT, asIs, asIs, Buffer.from('5'), { deadline });
      call.on('data', (message: Buffer) => messages.push(message.toString()));
      call.on('error', reject);
      call.on('end', () => resolve(messages));
    });
    return { said, counted };
  } finally {
    client.close();
    tunnel.close();
  }
}
