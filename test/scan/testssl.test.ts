// testssl.sh (the package testssl.sh of Debian) against a running Fairlead: protocols, suites, certificates, and every attack that
// it knows. The authority is the test's own, and testssl.sh is told to trust it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { documents, endpoints, service } from '../support/fairlead-manifests.ts';
import { startFairlead, temporaryFolder } from '../support/fairlead-run.ts';
import { authority, issue } from '../support/pki.ts';
import { has, run } from '../support/program.ts';
import { ingressOf, secretOf } from '../support/tls-manifests.ts';

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** Beyond "low". */
const TOO_MUCH = ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'];

for (const key of ['ec', 'rsa'] as const) {
  test(`testssl.sh finds nothing above "low" (${key})`, async (t) => {
    if (!has(t, 'testssl', 'testssl.sh')) return t.pass();
    const ca = authority('authority', { key, until: 400 });
    const leaf = issue(ca, 'a.test', { names: ['a.test'], key, until: 80, ocsp: 'http://ocsp.a.test/' });
    // What it asks of the application, which is none of a proxy's.
    const port = await startBackend(t, 'web', (_request, response) => response.writeHead(200, { 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'" }).end('web'));
    const site = documents(service('web'), endpoints('web', port), secretOf('cert', { 'tls.crt': leaf.certPem, 'tls.key': leaf.keyPem }), ingressOf('a', 'a.test', { tls: 'cert' }));
    const fairlead = await startFairlead(t, { files: { 'site.yaml': site } });
    const dir = temporaryFolder(t);
    const [report, trusted] = [join(dir, 'report.json'), join(dir, 'ca.pem')];
    writeFileSync(trusted, ca.certPem);
    const args = ['--quiet', '--color', '0', '--warnings', 'batch', '--nodns', 'none', '--add-ca', trusted, '--jsonfile', report, '--ip', '127.0.0.1', `https://a.test:${fairlead.https}`];
    const { stdout } = await run('testssl', args, 500_000);
    const findings = JSON.parse(readFileSync(report, 'utf8')) as readonly Finding[];
    const bySeverity = Object.groupBy(findings, ({ severity }) => severity);
    t.log(Object.entries(bySeverity).map(([severity, list]) => `${severity} ${list?.length}`).join(', '));
    for (const { id, severity, finding } of findings) if (!['OK', 'INFO'].includes(severity)) t.log(`${severity} ${id}: ${finding}`);
    // A scan that did not come through finds nothing either.
    for (const id of ['TLS1_2', 'TLS1_3', 'heartbleed', 'ROBOT', 'LUCKY13']) t.true(findings.some((each) => each.id === id), `${id} is missing: ${stdout.slice(-2_000)}`);
    t.deepEqual(findings.filter(({ severity }) => TOO_MUCH.includes(severity)), []);
  });
}
