// Goldens: what a user writes above the line, what it means below it. Each file is named by what it shows; the part below is
// rewritten by `npm run golden`, and whoever does so reads the difference. Comments at the top are settings:
//   # --default-backend-service shop/fallback     a flag of PipelineSettings
//   # dns api.example.com 203.0.113.1             what DNS says of a name (nothing: it does not resolve)
//   # secret shop/cert *.example.com              a Secret with a certificate for these names, made for the occasion
//   # authority shop/ca                           a Secret with the certificate of an authority, always the same
//   # explain https://shop.example.com/cart       what explain says of this request, in place of the table
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { selfSigned } from '../../certs/self-signed.ts';
import { explainText } from '../../controller/cli/explain-text.ts';
import { usual } from '../../controller/cli/explain.ts';
import { settingsOf } from '../../controller/cli/options.ts';
import { explain } from '../../controller/explain.ts';
import { KubeStore } from '../../controller/kube/state.ts';
import type { DnsAnswer } from '../../controller/model/external-name.ts';
import type { Problem } from '../../controller/model/problem.ts';
import type { PipelineSettings } from '../../controller/pipeline.ts';
import { originText } from '../../proxy/table/origin.ts';
import { printTable } from '../../proxy/table/print.ts';
import { authoritySecretYaml } from '../support/fixed-authority.ts';
import { readManifests, secretYaml } from '../support/manifests.ts';
import { runOnce } from '../support/pipeline.ts';

const LINE = '---8<---';
const LONGEST = 40;
const WRITE = process.env['GOLDEN'] === 'write';

const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.txt'));

test('there are goldens', (t) => {
  t.true(files.length >= 25);
});

for (const file of files) {
  test(file.slice(0, -'.txt'.length).replaceAll('-', ' '), (t) => {
    const path = join(import.meta.dirname, file);
    const text = readFileSync(path, 'utf8');
    const input = text.split(`${LINE}\n`)[0]!;
    const whole = `${input}${LINE}\n${meaning(input)}`;
    if (WRITE) writeFileSync(path, whole);
    else t.is(whole, text, 'if the difference is meant: npm run golden');
    t.true(whole.split('\n').length - 1 <= LONGEST, `at most ${LONGEST} lines`);
    t.false(whole.includes('PRIVATE KEY'));
  });
}

/** The table and the Problems. */
function meaning(input: string): string {
  const { settings, dns, secrets, urls } = readSettings(input);
  const store = new KubeStore();
  const { objects, problems } = readManifests([input, ...secrets].join('\n---\n'));
  for (const object of objects) store.put(object);
  const result = runOnce(store, settings, dns);
  // Listeners are the same everywhere, but for the default certificate.
  const listeners = settings.defaultSslCertificate === undefined ? {} : result.sections.listeners;
  const table = printTable({ ...result.sections, listeners }).replaceAll(/until \d{4}-\d\d-\d\d/g, 'until …');
  const lines = [...problems, ...result.problems].map(problemText);
  const explained = urls.map((url) => explainText(explain(result.sections, { url, method: 'GET', headers: [], from: '192.0.2.1' }, () => undefined, settingsOf(['--manifests', '.']), result.problems), usual()));
  return [urls.length === 0 ? table : '', ...lines, ...explained.map((text) => text.replaceAll(/until \d{4}-\d\d-\d\d/g, 'until …'))].filter((part) => part !== '').join('\n').replaceAll(/ +$/gm, '');
}

function problemText({ severity, reason, origin, message, hint, effect }: Problem): string {
  return `${severity} ${reason} (${effect}) ${originText(origin)}\n  ${message}\n${hint === undefined ? '' : `  hint: ${hint}\n`}`;
}

const FLAGS: ReadonlyMap<string, (value: string) => Partial<PipelineSettings>> = new Map<string, (value: string) => Partial<PipelineSettings>>([
  ['--default-backend-service', (value) => ({ defaultBackendService: value })],
  ['--default-ssl-certificate', (value) => ({ defaultSslCertificate: value })],
  ['--hsts', (value) => ({ hsts: value })],
  ['--ingress-class', (value) => ({ ingressClass: value })],
  ['--watch-ingress-without-class', (value) => ({ watchIngressWithoutClass: value !== 'false' })],
]);

function readSettings(input: string): { settings: Partial<PipelineSettings>; dns: Map<string, DnsAnswer>; secrets: string[]; urls: string[] } {
  const dns = new Map<string, DnsAnswer>();
  const secrets: string[] = [];
  const urls: string[] = [];
  let settings: Partial<PipelineSettings> = {};
  for (const line of input.split('\n')) {
    const [mark, word = '', first = '', ...rest] = line.split(' ');
    if (mark !== '#') continue;
    const flag = FLAGS.get(word);
    if (flag !== undefined) settings = { ...settings, ...flag(first) };
    if (word === 'dns') dns.set(first, rest.length === 0 ? { error: 'ENOTFOUND' } : { addresses: rest });
    if (word === 'explain') urls.push(first);
    if (word === 'authority') secrets.push(authoritySecretYaml(first));
    if (word === 'secret') {
      const [namespace = '', name = ''] = first.split('/');
      const { chainPem, keyPem } = selfSigned({ hostnames: rest });
      secrets.push(secretYaml(name, chainPem, keyPem, namespace));
    }
  }
  return { settings, dns, secrets, urls };
}
