// The command line: what it prints, where, and with which exit code.
import test from 'ava';
import { selfSigned } from '../../certs/self-signed.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { runCli, temporaryFolder } from '../support/fairlead-run.ts';
import { secretYaml } from '../support/manifests.ts';

const SITE = documents(ingress('web', { paths: { '/': 'web', '/api': 'api' } }), service('web'), service('api'), endpoints('web', 8081, 8082));

test('help names every command, and a command\'s help every flag with its default', async (t) => {
  const help = await runCli(['--help']);
  t.is(help.code, 0);
  for (const command of ['run', 'check', 'table', 'explain', 'demo']) t.regex(help.stdout, new RegExp(`^  ${command} `, 'm'));
  const run = await runCli(['run', '--help']);
  t.is(run.code, 0);
  for (const flag of ['--manifests <dir>', '--http-port <port>', '--https-port', '--admin-port', '--bind', '--workers', '--ingress-class', '--controller-class', '--watch-ingress-without-class', '--default-backend-service', '--default-ssl-certificate']) {
    t.true(run.stdout.includes(flag), flag);
  }
  t.regex(run.stdout, /default: fairlead\.dev\/ingress-controller/);
  t.regex((await runCli(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
});

const MISTAKES: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['a bad value', ['run', '--http-port', '80x'], /--http-port <port>.*'80x'.*Allowed: a port/],
  ['a bad choice', ['run', '--log-level', 'loud'], /--log-level.*'loud'.*Allowed choices are debug, info/],
  ['an unknown flag', ['run', '--manifest', 'x'], /unknown option '--manifest'.*--manifests/],
  ['an unknown command', ['serve'], /unknown command 'serve'/],
  ['a missing value', ['run', '--http-port'], /--http-port <port>.*argument missing/],
  ['no source', ['run', '--kubeconfig', '/nowhere'], /run needs --manifests DIR or a cluster: there is no file \/nowhere/],
  ['a folder that is not there', ['check', '/nowhere/at/all'], /there is no folder \/nowhere\/at\/all/],
  ['a file for a folder', ['table', 'package.json'], /package\.json is not a folder/],
  ['a missing argument', ['explain', '.'], /missing required argument 'url'/],
  ['an argument too many', ['explain', '.', 'http://a', 'b'], /too many arguments/],
  ['one port for two purposes', ['run', '--manifests', '.', '--http-port', '9090', '--https-port', '9090'], /--http-port and --https-port are both 9090/],
  ['the admin port once more', ['run', '--manifests', '.', '--http-port', '9090', '--admin-port', '9090'], /--http-port and --admin-port are both 9090/],
  ['a URL that is not for HTTP', ['explain', '.', 'ftp://shop.example.com/'], /'ftp:\/\/shop\.example\.com\/' is invalid.*Allowed: a URL with http/],
  ['a client that is no address', ['explain', '.', 'http://a/', '--from', 'home'], /--from.*'home'.*Allowed: an IP address/],
  ['an access log that cannot be written', ['run', '--manifests', '.', '--access-log', '/nowhere/at/all'], /--access-log \/nowhere\/at\/all cannot be written/],
];
for (const [what, args, expected] of MISTAKES) {
  test(`${what} is one line on standard error and exit code 2`, async (t) => {
    const { code, stdout, stderr } = await runCli(args);
    t.deepEqual([code, stdout], [2, '']);
    t.regex(stderr, expected);
    t.is(stderr.indexOf('\n'), stderr.length - 1, stderr);
  });
}

test('a flag can be given in the environment, and its mistakes name the variable', async (t) => {
  const { code, stderr } = await runCli(['run', '--manifests', '.'], { FAIRLEAD_HTTPS_PORT: 'none' });
  t.is(code, 2);
  t.regex(stderr, /'--https-port <port>' value 'none' from env 'FAIRLEAD_HTTPS_PORT' is invalid\. Allowed: a port/);
});

test('Ingresses of another class are counted on standard error, with the flags that would serve them', async (t) => {
  const ofNginx = (name: string): string => `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ${name}, namespace: default}
spec:
  ingressClassName: nginx
  rules: [{host: ${name}.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
`;
  const folder = temporaryFolder(t, { 'site.yaml': documents(SITE, endpoints('api', 8083), ofNginx('one'), ofNginx('two')) });
  for (const args of [['check', folder], ['table', folder], ['explain', folder, 'http://web.example.com/']]) {
    const { stderr } = await runCli(args);
    t.regex(stderr, /fairlead: 2 Ingresses are of another class \("nginx"\) and not served; see --controller-class and --ingress-class\n/, args[0]);
  }
  const { stderr } = await runCli(['check', folder, '--ingress-class', 'nginx']);
  t.is(stderr, '');
});

test('check prints every problem with file, line, object, field, message, effect and hint, and counts them', async (t) => {
  const good = temporaryFolder(t, { 'site.yaml': documents(SITE, endpoints('api', 8083)) });
  const fine = await runCli(['check', good]);
  t.deepEqual([fine.code, fine.stderr], [0, '']);
  t.is(fine.stdout, '0 errors, 0 warnings\n');

  const bad = temporaryFolder(t, { 'a.yaml': ingress('lost', { paths: { '/': 'gone' } }), 'broken.yaml': 'kind: [' });
  const { code, stdout } = await runCli(['check', bad]);
  t.is(code, 1);
  t.regex(stdout, /a\.yaml:\d+: error BackendNotFound\n {2}Ingress shop\/lost spec\.rules\[0\]\.http\.paths\[0\]\.backend\.service\n {2}.*"shop\/gone".*\n {2}effect: /);
  t.regex(stdout, /broken\.yaml:\d+: error /);
  t.regex(stdout, /\n2 errors, 0 warnings\n$/);

  const json = JSON.parse((await runCli(['check', bad, '--output', 'json'])).stdout) as { file: string; line: number; reason: string }[];
  t.is(json.length, 2);
  t.true(json.every(({ file, line, reason }) => file.endsWith('.yaml') && line >= 1 && reason !== ''));
});

test('check says of a Secret or Service that was refused that it is there, and why it is of no use to who names it', async (t) => {
  const secret = 'apiVersion: v1\nkind: Secret\nmetadata: {name: cert, namespace: shop}\ndata: {tls.crt: "no base64!", tls.key: ""}\n';
  const wrong = service('web').replace('"port":80', '"port":"eighty"');
  const named = ingress('web', { tls: 'cert' }).replace('"name":"web"', '"annotations":{"nginx.ingress.kubernetes.io/auth-tls-secret":"shop/cert"},"name":"web"');
  const dir = temporaryFolder(t, { 'site.yaml': documents(named, secret, wrong) });
  const { stdout } = await runCli(['check', dir, '--default-ssl-certificate', 'shop/cert']);
  const why = 'Secret "shop/cert" is refused \\(data\\[tls\\.crt\\]: found a string of 10 characters; it must be base64 [^)]*\\)[^)]*\\)';
  t.regex(stdout, new RegExp(`Ingress shop/web spec\\.tls\\[0\\]\\.secretName\\n  host "shop\\.example\\.com": ${why}; the default certificate is served\\n`));
  t.regex(stdout, new RegExp(`Flag --default-ssl-certificate\\n  ${why}; a self-signed certificate is served\\n`));
  t.regex(stdout, new RegExp(`auth-tls-secret\\]\\n  host "shop\\.example\\.com": ${why}; as nobody can be checked, every request is answered 403\\n`));
  t.regex(stdout, /backend\.service\n {2}Service "shop\/web" is refused \(spec\.ports\[0\]\.port: found "eighty"; it must be [^)]*\); requests are answered 503\n/);
  t.notRegex(stdout, /there is no (?:Secret|Service)|no base64!/);
});

test('a manifest cannot write control characters to the terminal of whoever checks it', async (t) => {
  const dir = temporaryFolder(t, { 'a.yaml': ingress('web', { host: 'evil\u001b[2Jhost' }) });
  const { stdout } = await runCli(['check', dir]);
  t.false(stdout.includes('\u001b'));
  t.true(stdout.length > 30);
});

test('table prints the routes in matching order, and json without keys', async (t) => {
  const dir = temporaryFolder(t, { 'site.yaml': SITE });
  const { code, stdout } = await runCli(['table', dir]);
  t.is(code, 0);
  t.regex(stdout, /shop\.example\.com {2}on http\+https\n {2}PathPrefix \/api +→ shop\/api:80 +Ingress shop\/web .*\n {2}PathPrefix \/ +→ shop\/web:80 /);
  t.regex(stdout, /default certificate self-signed\n/, 'the end of a certificate that is made at the start is not known here');
  const json = (await runCli(['table', dir, '--output', 'json'])).stdout;
  t.true(Object.hasOwn(JSON.parse(json) as object, 'virtualHosts'));
  t.false(/keyPem|PRIVATE KEY/.test(json));
});

test('explain says which route answers, where it was written, and what its endpoints are', async (t) => {
  const dir = temporaryFolder(t, { 'site.yaml': SITE });
  const { code, stdout } = await runCli(['explain', dir, 'http://SHOP.example.com/cart?x=1']);
  t.is(code, 0);
  t.regex(stdout, /no +PathPrefix \/api +Ingress shop\/web spec\.rules\[0\]\.http\.paths\[1\]: path is \/cart, wanted PathPrefix \/api/);
  t.regex(stdout, /answers +PathPrefix \/ /);
  t.regex(stdout, /answer +Ingress shop\/web spec\.rules\[0\]\.http\.paths\[0\] \(.*site\.yaml:\d+\)/);
  t.regex(stdout, /cluster +shop\/web:80\n +HTTP\/1\.1 in clear text; round robin\n +127\.0\.0\.1:8081\n +127\.0\.0\.1:8082/);

  const empty = await runCli(['explain', dir, 'http://shop.example.com/api/']);
  t.is(empty.code, 0);
  t.regex(empty.stdout, /later +PathPrefix \/ /);
  t.regex(empty.stdout, /no endpoints: requests are answered 503/);
});

test('explain says that TLS is passed through, who wants it so, and that no route has a say then', async (t) => {
  const passed = ingress('web').replace('"metadata":{', '"metadata":{"annotations":{"nginx.ingress.kubernetes.io/ssl-passthrough":"true"},');
  const dir = temporaryFolder(t, { 'site.yaml': documents(passed, ingress('other', { host: 'other.example.com' }), service('web'), endpoints('web', 8081)) });
  const { code, stdout } = await runCli(['explain', dir, 'https://shop.example.com/cart']);
  t.is(code, 0);
  t.regex(stdout, /answer +none of ours: TLS is passed through as it is, by Ingress shop\/web metadata\.annotations\[\S+\/ssl-passthrough\] \(.*site\.yaml:\d+\);[^\n]*\n +cluster +shop\/web:80\n +round robin\n +127\.0\.0\.1:8081\n/);
  t.notRegex(stdout, /PathPrefix/);
  t.regex((await runCli(['explain', dir, 'http://shop.example.com/cart'])).stdout, /answer +Ingress shop\/web/);
  t.regex((await runCli(['explain', dir, 'https://shop.example.com/../x', '-H', 'Host: other.example.com'])).stdout, /host +shop\.example\.com\n\n.*TLS is passed through/, 'what the request says is not read');
  t.regex((await runCli(['explain', dir, 'https://other.example.com/', '-H', 'Host: shop.example.com'])).stdout, /answer +421, [^\n]*MisdirectedRequest/, 'the handshake named another host');
});

test('explain says what a client gets of a host that is passed through to nobody', async (t) => {
  const passed = ingress('web').replace('"metadata":{', '"metadata":{"annotations":{"nginx.ingress.kubernetes.io/ssl-passthrough":"true"},');
  const dir = temporaryFolder(t, { 'site.yaml': documents(passed, service('web')) });
  const { stdout } = await runCli(['explain', dir, 'https://shop.example.com/']);
  t.regex(stdout, /no endpoints: connections are ended with a TLS alert \(internal_error\)/);
  t.notRegex(stdout, /503/);
});

test('explain exits with 1 where no route answers, and says what is nearest', async (t) => {
  const dir = temporaryFolder(t, { 'site.yaml': ingress('web', { paths: { '/cart': 'web' } }) });
  const path = await runCli(['explain', dir, 'http://shop.example.com/car']);
  t.is(path.code, 1);
  t.regex(path.stdout, /answer +404 NoRouteFound\n +nearest +PathPrefix \/cart/);
  const host = await runCli(['explain', dir, 'http://shop.example.org/cart']);
  t.is(host.code, 1);
  t.regex(host.stdout, /no virtual host answers for it[^]*nearest +shop\.example\.com/);
});

test('explain refuses what the proxy refuses, with the same words', async (t) => {
  const dir = temporaryFolder(t, { 'site.yaml': SITE });
  for (const [args, expected] of [
    [['http://shop.example.com/../x'], /400, .*above the root/],
    [['http://us er/'], /400, .*malformed Host/],
    [['http://shop.example.com/', '-H', 'Host: a', '-H', 'Host: b'], /400, /],
    [['http://shop.example.com/', '-X', 'TRACE'], /405, .*TRACE is not served/],
  ] as const) {
    const { code, stdout } = await runCli(['explain', dir, ...args]);
    t.is(code, 1, args.join(' '));
    t.regex(stdout, expected);
  }
});

test('what only looks at manifests takes every flag of run, and its help shows those that change what it prints', async (t) => {
  const dir = temporaryFolder(t, { 'site.yaml': SITE });
  const given = [
    '--manifests', '/nowhere', '--kubeconfig', '/nowhere', '--watch-namespace', 'other', '--endpoints-api', 'auto', '--publish-service', 'a/b', '--update-status', 'false', '--election-ttl', '5s', '--http-port', '80', '--https-port', '443',
    '--bind', '10.0.0.1', '--trusted-proxies', '192.0.2.0/24', '--use-proxy-protocol', '--ssl-protocols', 'TLSv1.3', '--workers', '3', '--access-log', 'off', '--log-level', 'debug', '--state-dir', '/nowhere', '--drain-timeout', '5s',
    '--max-body-size', '10', '--connections-per-address', '7', '--proxy-read-timeout', '1h', '--endpoint-requests', '10', '--ocsp-stapling',
  ];
  t.is((await runCli(['check', dir, ...given])).code, 0);
  t.regex((await runCli(['table', dir, ...given])).stdout, /^listener http {2}HTTP 10\.0\.0\.1:80 proxyProtocol=true trustedProxies=192\.0\.2\.0\/24\nlistener https {2}HTTPS 10\.0\.0\.1:443 /);
  const body = ['http://shop.example.com/', '-X', 'POST', '-H', 'content-length: 11'];
  t.regex((await runCli(['explain', dir, ...body, ...given])).stdout, /answers +413 RequestBodyTooLarge; what follows is not reached/);
  t.notRegex((await runCli(['explain', dir, ...body])).stdout, /413/);
  t.is((await runCli(['table', dir, '--http-port', '80', '--https-port', '80'])).code, 2, 'what contradicts itself is refused as there');
  const [run, check] = await Promise.all([runCli(['run', '--help']), runCli(['check', '--help'])]);
  const flags = (help: string): string[] => [...help.matchAll(/^ {2}(--[-a-z0-9]+)/gm)].map(([, name]) => name ?? '');
  t.deepEqual(flags(check.stdout).filter((name) => !flags(run.stdout).includes(name)), ['--output']);
  t.deepEqual(['--max-body-size', '--ssl-ciphers', '--workers', '--kubeconfig'].map((name) => flags(check.stdout).includes(name)), [true, true, false, false]);
  t.regex(check.stdout, /Every other flag of "fairlead run" is taken too, and has no effect here/);
});

test('explain names the certificate of a handshake and never its key, and counts as usual what no flag and no annotation changes', async (t) => {
  const { chainPem, keyPem } = selfSigned({ hostnames: ['shop.example.com'] });
  const dir = temporaryFolder(t, { 'site.yaml': documents(ingress('web', { tls: 'cert' }), service('web'), endpoints('web', 8081), secretYaml('cert', chainPem, keyPem, 'shop')) });
  const json = (await runCli(['explain', dir, 'https://shop.example.com/', '--output', 'json'])).stdout;
  t.like((JSON.parse(json) as { readonly tls: object }).tls, { serverName: 'shop.example.com', byDefault: false, asksForCertificate: false, certificate: { hostnames: ['shop.example.com'] } });
  t.notRegex(json, /-----BEGIN|keyPem/);
  const { stdout } = await runCli(['explain', dir, 'https://shop.example.com/']);
  t.regex(stdout, /tls +certificate shop\.example\.com until \d{4}-\d\d-\d\d\n/);
  t.regex(stdout, /cluster +shop\/web:80\n +HTTP\/1\.1 in clear text; round robin\n/);
  t.notRegex(stdout, /limits|connects within|retries/);
  const flags = await runCli(['explain', dir, 'https://shop.example.com/', '--proxy-read-timeout', '90s', '--proxy-connect-timeout', '500ms', '--proxy-next-upstream', 'off', '--max-body-size', '2m']);
  t.regex(flags.stdout, /limits +body 2m, read 90s\n +retries +none\n +cluster +\S+\n +HTTP\/1\.1 in clear text; round robin; connects within 500ms\n/);
});

test('explain believes a proxy as the listener does', async (t) => {
  const annotated = ingress('web', { tls: 'web-tls' }).replace('"name":"web"', '"annotations":{"nginx.ingress.kubernetes.io/force-ssl-redirect":"true"},"name":"web"');
  const dir = temporaryFolder(t, { 'site.yaml': documents(annotated, service('web'), endpoints('web', 8081)) });
  const asked = ['explain', dir, 'http://shop.example.com/', '-H', 'x-forwarded-proto: https'];
  for (const [args, redirected] of [
    [[], true],
    [['--trusted-proxies', '192.0.2.0/24'], false],
    [['--trusted-proxies', '10.0.0.0/8'], true],
    [['--trusted-proxies', '10.0.0.0/8', '--from', '10.1.1.1'], false],
    [['--trusted-hops', '1'], true],
    [['--trusted-hops', '1', '-H', 'x-forwarded-for: 203.0.113.9'], false],
  ] as const) {
    t.is((await runCli([...asked, ...args])).stdout.includes('308 HttpsRedirect'), redirected, args.join(' '));
  }
});

test('explain follows the filters that need nobody else', async (t) => {
  const tls = ingress('web', { tls: 'web-tls' });
  const annotated = tls.replace('"name":"web"', '"annotations":{"nginx.ingress.kubernetes.io/force-ssl-redirect":"true"},"name":"web"');
  const dir = temporaryFolder(t, { 'site.yaml': documents(annotated, service('web'), endpoints('web', 8081)) });
  const plain = await runCli(['explain', dir, 'http://shop.example.com/cart?x=1']);
  t.regex(plain.stdout, /answers +308 HttpsRedirect to https:\/\/shop\.example\.com\/cart\?x=1; what follows is not reached/);
  const secure = await runCli(['explain', dir, 'https://shop.example.com/cart?x=1']);
  t.notRegex(secure.stdout, /HttpsRedirect/);
});
