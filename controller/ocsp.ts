// Asks OCSP responders about the certificates that are served, so that answers can be stapled to handshakes (--ocsp-stapling).
// Nothing waits for it: a certificate is served without an answer until there is a good one. An answer is renewed at half of
// its time; while a responder fails, the last good one stays until it ends.
import type { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns';
import { request } from 'node:http';
import type { LookupFunction } from 'node:net';
import { ocspRequest, ocspSubject, readOcspAnswer } from '../certs/ocsp.ts';
import type { OcspSubject } from '../certs/ocsp.ts';
import type { Certificate, OcspStaple } from '../proxy/table/certificate.ts';
import { parseAddress } from './model/address.ts';
import type { Problem } from './model/problem.ts';
import { seen } from './model/seen.ts';

const AT_ONCE = 4;
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;
const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 3_600_000;
/** However short an answer's time is, and however long. */
const SOONEST_MS = 60_000;
const LATEST_MS = 24 * 3_600_000;

interface Watched {
  readonly subject: OcspSubject;
  timer: NodeJS.Timeout | undefined;
  failures: number;
  problem: Problem | undefined;
}

export class OcspWatcher {
  readonly #onStaple: (name: string, staple: OcspStaple | undefined) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #waiting: string[] = [];
  #asking = 0;
  #stopped = false;

  /** `onStaple` is called with every new answer for a `Certificate.name`; undefined: what was stapled is no longer true, or the certificate is gone. */
  constructor(onStaple: (name: string, staple: OcspStaple | undefined) => void) {
    this.#onStaple = onStaple;
  }

  /** These certificates appeared, changed or went. */
  touched(names: Iterable<string>, certificates: Readonly<Record<string, Certificate>>): void {
    for (const name of names) {
      const certificate = Object.hasOwn(certificates, name) ? certificates[name] : undefined;
      if (certificate === undefined) this.#gone(name);
      else if (!this.#watched.has(name)) this.#watch(certificate);
    }
  }

  problems(): readonly Problem[] {
    return [...this.#watched.values()].flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
  }

  stop(): void {
    this.#stopped = true;
    for (const name of this.#watched.keys()) this.#forget(name);
  }

  #watch({ name, chainPem }: Certificate): void {
    const subject = ocspSubject(chainPem);
    if (subject === undefined || this.#stopped) return;
    this.#watched.set(name, { subject, timer: undefined, failures: 0, problem: undefined });
    this.#enqueue(name);
  }

  /** Its answer is given up as well, lest those of all certificates that ever were are kept. */
  #gone(name: string): void {
    if (!this.#watched.has(name)) return;
    this.#forget(name);
    this.#onStaple(name, undefined);
  }

  #forget(name: string): void {
    clearTimeout(this.#watched.get(name)?.timer);
    this.#watched.delete(name);
  }

  #enqueue(name: string): void {
    this.#waiting.push(name);
    this.#next();
  }

  #next(): void {
    while (this.#asking < AT_ONCE) {
      const name = this.#waiting.shift();
      if (name === undefined) return;
      const watched = this.#watched.get(name);
      if (watched === undefined) continue;
      this.#asking++;
      void ask(watched.subject).then((answer) => {
        this.#asking--;
        if (this.#watched.get(name) === watched) this.#answered(name, watched, answer);
        this.#next();
      });
    }
  }

  #answered(name: string, watched: Watched, answer: Buffer | string): void {
    const now = Date.now();
    const read = typeof answer === 'string' ? { wrong: answer } : readOcspAnswer(answer, watched.subject, now);
    if ('validUntil' in read && typeof answer !== 'string') {
      watched.failures = 0;
      watched.problem = undefined;
      this.#onStaple(name, { response: answer.toString('base64'), validUntil: read.validUntil });
      this.#again(name, watched, Math.min(Math.max((read.validUntil - now) / 2, SOONEST_MS), LATEST_MS));
      return;
    }
    watched.problem = problemOf(watched.subject, 'status' in read ? `says that the certificate is ${read.status}` : 'wrong' in read ? read.wrong : '', 'status' in read);
    if ('status' in read) this.#onStaple(name, undefined);
    this.#again(name, watched, Math.min(FIRST_RETRY_MS * 2 ** watched.failures++, LONGEST_RETRY_MS));
  }

  #again(name: string, watched: Watched, delayMs: number): void {
    watched.timer = setTimeout(() => this.#enqueue(name), delayMs).unref();
  }
}

function problemOf({ leaf, url }: OcspSubject, what: string, revoked: boolean): Problem {
  return {
    severity: revoked ? 'error' : 'warning',
    reason: revoked ? 'CertificateRevoked' : 'OcspResponderFailed',
    origin: { kind: 'Certificate', namespace: '', name: subjectText(leaf) },
    message: `the answer of the OCSP responder ${seen(url)} ${what}`,
    effect: 'None',
  };
}

function subjectText({ subject, serialNumber }: X509Certificate): string {
  return /CN=([^\n]{1,100})/.exec(subject ?? '')?.[1] ?? serialNumber.slice(0, 40);
}

/** The body of the answer; or what is wrong, to complete "the answer …". Never rejects. */
function ask(subject: OcspSubject): Promise<Buffer | string> {
  return new Promise((resolve) => {
    // Addresses are not looked up.
    if (isLinkLocal(new URL(subject.url).hostname.replace(/^\[|\]$/g, ''))) return resolve(`did not come: ${LINK_LOCAL}`);
    const body = ocspRequest(subject);
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const call = request(subject.url, { method: 'POST', signal, lookup: guarded, headers: { 'content-type': 'application/ocsp-request', 'content-length': body.length } });
    call.on('error', (error) => resolve(`did not come: ${signal.aborted ? 'it took too long' : error.message}`));
    // Nobody would hear of it: Node closes the connection, and the timeout comes to nothing.
    call.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(`did not come: the status was ${response.statusCode}`);
    });
    call.on('response', (response) => {
      if (response.statusCode !== 200) {
        response.destroy();
        resolve(`did not come: the status was ${response.statusCode}`);
        return;
      }
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_BYTES) response.destroy(new Error('it is too long'));
        else chunks.push(chunk);
      });
      response.on('error', (error) => resolve(`did not come: ${error.message}`));
      response.on('end', () => resolve(Buffer.concat(chunks)));
    });
    call.end(body);
  });
}

/** Whoever owns a certificate chooses the URL: it must not lead to the metadata service of a cloud. */
const guarded: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, found) => {
    const allowed = (found ?? []).filter(({ address }) => !isLinkLocal(address));
    const [first] = allowed;
    if (error !== null || first === undefined) done(error ?? new Error(LINK_LOCAL), '', 4);
    else if (options.all === true) done(null, allowed);
    else done(null, first.address, first.family);
  });
};

const LINK_LOCAL = 'a link-local address is not asked';

function isLinkLocal(address: string): boolean {
  return parseAddress(address)?.range === 'link-local';
}
