// Reads folders of manifests once, for the commands that look at them: the same source and the same pipeline as `run`.
import type { Certificate } from '../../proxy/table/certificate.ts';
import type { Sections } from '../../proxy/table/snapshot.ts';
import { othersText } from '../dialects/ingress/classes.ts';
import { DnsWatcher } from '../dns.ts';
import { FileSource } from '../files.ts';
import { listenersOf } from '../listeners.ts';
import { Pipeline } from '../pipeline.ts';
import type { Problem } from '../model/problem.ts';
import type { Locate } from '../report.ts';
import type { Settings } from '../settings.ts';
import { checkFolders } from './folders.ts';

/** How long names of ExternalName Services may take. */
const NAMES_MS = 3000;

/** Stands for the certificate that `run` makes at its start, so that the same files always give the same table. */
const SELF_SIGNED: Certificate = { name: 'sha256/self-signed', hostnames: ['self-signed'], notAfter: NaN, chainPem: '', keyPem: '' };

export interface Loaded {
  readonly sections: Sections;
  readonly problems: readonly Problem[];
  readonly locate: Locate;
}

/**
 * `names`: true asks the DNS for what ExternalName Services name; false leaves them without endpoints, for an answer that depends on the files alone.
 * Says on standard error how many Ingresses are of other classes: no Problem tells of them.
 */
export async function load(dirs: readonly string[], settings: Settings, names: boolean): Promise<Loaded> {
  checkFolders(dirs);
  const source = new FileSource(dirs, { watch: false });
  const dns = new DnsWatcher(settings.dnsServers, () => undefined);
  try {
    await source.start(() => undefined);
    const pipeline = new Pipeline({
      ...settings,
      selfSigned: SELF_SIGNED,
      listeners: listenersOf(settings),
    });
    let result = pipeline.run(source.state, dns.answers);
    if (names && result.hostnames.length > 0) {
      dns.watch(result.hostnames);
      await dns.settled(NAMES_MS);
      result = pipeline.run(source.state, dns.answers);
    }
    const { Ingress, IngressClass } = source.state.objects;
    const others = othersText(Ingress.values(), IngressClass.values(), settings);
    if (others !== undefined) process.stderr.write(`fairlead: ${others}\n`);
    return { sections: result.sections, problems: [...source.problems(), ...result.problems], locate: (origin) => source.locate(origin) };
  } finally {
    dns.stop();
    await source.stop();
  }
}
