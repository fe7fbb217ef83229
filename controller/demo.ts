// `demo`: the examples, live. Starts the applications that the examples' EndpointSlices name, makes a certificate, runs
// Fairlead in front of them, prints what to try, and then one line for everything that an edit of an example changes.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { selfSigned } from '../certs/self-signed.ts';
import { Failure } from './cli/failure.ts';
import { settingsOf } from './cli/options.ts';
import { startApplications } from './demo/application.ts';
import { tlsSecretManifest } from './demo/tls-secret.ts';
import { instructions, logLineText } from './demo/words.ts';
import { FileSource } from './files.ts';
import { bindError, portIsFree } from './listeners.ts';
import { createLogFor } from './log.ts';
import { Fairlead } from './main.ts';

/** As seen from here, so that the printed paths are short. */
const EXAMPLES = relative(process.cwd(), fileURLToPath(new URL('../manifests/examples', import.meta.url))) || '.';
const ADDRESS = '127.0.0.1';
const HOSTNAME = 'shop.example.com';
const SECRET = { namespace: 'shop', name: 'shop-tls' } as const;

/** Resolves when everything has been started; the process then lives until Ctrl-C. Throws a Failure. */
export async function demo(): Promise<void> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const examples = new FileSource([EXAMPLES], { watch: false });
  await examples.start(() => undefined);
  const applications = await startApplications(examples.state.objects.EndpointSlice.values()).catch((error: NodeJS.ErrnoException & { address?: string; port?: number }) => {
    throw new Failure(1, `the demo's applications: ${bindError(error.address ?? '', error.port ?? 0, error)}`);
  });
  await examples.stop();

  const folder = mkdtempSync(join(tmpdir(), 'fairlead-demo-'));
  const caFile = join(folder, 'ca.pem');
  const secrets = join(folder, 'secrets');
  const certificate = selfSigned({ hostnames: [HOSTNAME], commonName: HOSTNAME });
  mkdirSync(secrets);
  writeFileSync(caFile, certificate.chainPem);
  writeFileSync(join(secrets, 'tls.json'), tlsSecretManifest(SECRET.namespace, SECRET.name, certificate), { mode: 0o600 });

  const [http, https, admin] = await Promise.all([8080, 8443, 10254].map(async (port) => ((await portIsFree(ADDRESS, port)) ? port : 0)));
  const settings = settingsOf([
    '--manifests', EXAMPLES, '--manifests', secrets, '--bind', ADDRESS, '--access-log', 'off',
    '--http-port', String(http), '--https-port', String(https), '--admin-port', String(admin), '--drain-timeout', '1s',
  ]);
  const log = createLogFor('info', (line) => {
    const text = logLineText(line);
    if (text !== undefined) print(text);
  });
  const fairlead = new Fairlead(settings, new FileSource(settings.manifests), log, (ports) => {
    print(instructions({ ...ports, address: ADDRESS, caFile, folder: EXAMPLES, applications }));
  });

  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) fairlead.abort();
    stopping = true;
    await fairlead.drain();
    await Promise.all(applications.map((application) => application.close()));
    rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());
  print('starting…');
  await fairlead.start();
}
