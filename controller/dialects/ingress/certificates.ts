// The certificates in use: which hostname is served with which, from which Secret, and what served it before. Only
// Secrets that somebody names are read.
import { covers } from '../../../certs/parse.ts';
import type { Certificate } from '../../../proxy/table/certificate.ts';
import type { Refused, Secret } from '../../kube/objects.ts';
import { Dependents } from '../../model/dependents.ts';
import type { Inherited } from '../../model/inherited-tls.ts';
import type { Problem } from '../../model/problem.ts';
import type { TlsIntent, Translation } from '../../model/translation.ts';
import { chooseCertificate, chooseDefault, readTlsSecret } from './certificate.ts';
import type { CertificateChoice, SecretCertificate, Served } from './certificate.ts';

/** Where certificates go that are in use: a section of the table. */
export interface CertificateSection {
  put(certificate: Certificate): void;
  remove(name: string): void;
}

interface Secrets {
  get(key: string): Secret | Refused | undefined;
}

/** No hostname holds a blank. */
const DEFAULT = 'the default certificate';
/** Before the hostname whose routes and connections use a Secret. */
const USES = 'uses of ';

export class Certificates {
  readonly #section: CertificateSection;
  readonly #now: () => number;
  readonly #parsed = new WeakMap<Secret, SecretCertificate>();
  /** Hostname → Secrets that it looks for, and the certificate that it uses. */
  readonly #secretUsers = new Dependents();
  readonly #certificateUsers = new Dependents();
  /** The Secrets as they were when they were last looked at. */
  readonly #known = new Map<string, Secret | Refused | undefined>();
  /** The one thing in a run that depends on runs before it. */
  readonly #served = new Map<string, Served>();

  constructor(section: CertificateSection, now: () => number) {
    this.#section = section;
    this.#now = now;
  }

  /** `changed`: keys of Secrets; undefined: any may have. Returns whose choices are to be made again. */
  update(secrets: Secrets, changed: ReadonlySet<string> | undefined): { readonly hostnames: ReadonlySet<string>; readonly byDefault: boolean } {
    const users = new Set<string>();
    for (const key of changed ?? this.#known.keys()) {
      if (!this.#known.has(key) || this.#known.get(key) === secrets.get(key)) continue;
      this.#known.set(key, secrets.get(key));
      for (const user of this.#secretUsers.usersOf(key)) users.add(user);
    }
    const byDefault = users.delete(DEFAULT);
    const hostnames = new Set<string>();
    for (const user of users) hostnames.add(user.startsWith(USES) ? user.slice(USES.length) : user);
    return { hostnames, byDefault };
  }

  /** `tls`: whose section decides; undefined: the hostname has no TLS. Returns undefined where the default certificate serves. */
  choose(hostname: string, tls: Translation | undefined, secrets: Secrets): { readonly certificate: string | undefined; readonly problems: readonly Problem[] } {
    const entries: readonly TlsIntent[] = tls?.tls ?? [];
    const choice = chooseCertificate(hostname, entries, (key) => this.#read(secrets.get(key)), this.#served.get(hostname));
    this.#keep(hostname, choice, choice.served?.certificate, secrets);
    return { certificate: choice.served?.certificate.name, problems: choice.problems };
  }

  /** The same for a hostname that has what a wildcard has; what is wrong with that is told with the wildcard. */
  inherit(hostname: string, { wildcard, tls }: Inherited, secrets: Secrets): string | undefined {
    const choice = chooseCertificate(wildcard, tls.tls, (key) => this.#read(secrets.get(key)), this.#served.get(hostname));
    const covering = choice.served !== undefined && covers(choice.served.certificate, hostname) ? choice.served : undefined;
    this.#keep(hostname, { ...choice, served: covering }, covering?.certificate, secrets);
    return covering?.certificate.name;
  }

  /** `secret`: --default-ssl-certificate. Returns the certificate's name. */
  chooseDefault(secret: string | undefined, selfSigned: Certificate, secrets: Secrets): { readonly certificate: string; readonly problems: readonly Problem[] } {
    const choice = chooseDefault(secret, (key) => this.#read(secrets.get(key)), this.#served.get(DEFAULT));
    const certificate = choice.served?.certificate ?? selfSigned;
    this.#keep(DEFAULT, choice, certificate, secrets);
    return { certificate: certificate.name, problems: choice.problems };
  }

  /** What a hostname needs beside its own certificate: Secrets that were looked for, and certificates that are shown to endpoints. */
  use(hostname: string, looked: ReadonlySet<string>, certificates: ReadonlyMap<string, Certificate>, secrets: Secrets): void {
    const user = USES + hostname;
    this.#keepSecrets(user, looked, secrets);
    this.#keepCertificates(user, certificates);
  }

  #read(secret: Secret | Refused | undefined): SecretCertificate | Refused | undefined {
    if (secret === undefined || 'refused' in secret) return secret;
    let parsed = this.#parsed.get(secret);
    if (parsed === undefined) {
      parsed = readTlsSecret(secret, this.#now());
      this.#parsed.set(secret, parsed);
    }
    return parsed;
  }

  #keep(user: string, { served, secrets: looked }: CertificateChoice, certificate: Certificate | undefined, secrets: Secrets): void {
    if (served === undefined) this.#served.delete(user);
    else this.#served.set(user, served);
    this.#keepSecrets(user, looked, secrets);
    this.#keepCertificates(user, new Map(certificate === undefined ? [] : [[certificate.name, certificate]]));
  }

  #keepCertificates(user: string, certificates: ReadonlyMap<string, Certificate>): void {
    const before = this.#certificateUsers.thingsOf(user);
    this.#certificateUsers.set(user, new Set(certificates.keys()));
    for (const [name, certificate] of certificates) if (!before.has(name)) this.#section.put(certificate);
    for (const name of before) if (this.#certificateUsers.usersOf(name).size === 0) this.#section.remove(name);
  }

  #keepSecrets(user: string, looked: ReadonlySet<string>, secrets: Secrets): void {
    const before = this.#secretUsers.thingsOf(user);
    this.#secretUsers.set(user, looked);
    for (const key of before) if (this.#secretUsers.usersOf(key).size === 0) this.#known.delete(key);
    for (const key of looked) this.#known.set(key, secrets.get(key));
  }
}
