// Values with nginx variables in them.
import test from 'ava';
import { nextUpstream } from '../../../controller/dialects/ingress-nginx/next-upstream.ts';
import { seconds, secondsOrNone } from '../../../controller/dialects/ingress-nginx/seconds.ts';
import { forBackend, template } from '../../../controller/dialects/ingress-nginx/template.ts';
import { any, regexCharacters, variables } from '../../../controller/dialects/ingress-nginx/values.ts';

for (const [text, parts] of [
  ['$remote_addr', [{ type: 'ClientAddress' }]],
  ['${binary_remote_addr}', [{ type: 'ClientAddress' }]],
  ['$host$request_uri', [{ type: 'Host' }, { type: 'RequestTarget' }]],
  ['a-${uri}-b', [{ type: 'Literal', value: 'a-' }, { type: 'Path' }, { type: 'Literal', value: '-b' }]],
  ['$http_X_User_Id', [{ type: 'Header', name: 'x-user-id' }]],
  ['$cookie_Sid', [{ type: 'Cookie', name: 'Sid' }]],
  ['$arg_page-', [{ type: 'QueryParam', name: 'page' }, { type: 'Literal', value: '-' }]],
  ['$http_host', [{ type: 'Authority' }]],
  ['$args', [{ type: 'Query' }]],
  ['$request_method$scheme', [{ type: 'Method' }, { type: 'ConnectionScheme' }]],
  ['$pass_access_scheme', [{ type: 'Scheme' }]],
  ['$is_args$args', [{ type: 'QueryMark' }, { type: 'Query' }]],
  ['$escaped_request_uri', [{ type: 'EscapedTarget' }]],
  ['$remote_user', [{ type: 'BasicUser' }]],
  ['$ssl_client_s_dn', [{ type: 'CertificateSubject' }]],
  ['$request_id$req_id', [{ type: 'RequestId' }, { type: 'RequestId' }]],
  ['$server_name', [{ type: 'VirtualHost' }]],
  ['$server_port', [{ type: 'Port' }]],
  ['$content_type$content_length', [{ type: 'Header', name: 'content-type' }, { type: 'Header', name: 'content-length' }]],
  ['$proxy_add_x_forwarded_for', [{ type: 'Header', name: 'x-forwarded-for' }]],
  ['$location_path$ingress_name', [{ type: 'RoutePath' }, { type: 'RouteOwner' }]],
  ['$hostname', [{ type: 'ProxyHostname' }]],
  ['constant', [{ type: 'Literal', value: 'constant' }]],
] as const) {
  test(`${text} is understood`, (t) => t.deepEqual(template(variables)(text), { value: parts as never }));
}

for (const text of ['$', '$$', '${}', '${host', '$remote_users', '$http_', '$cookie_', '$arg_', '$__proto__', '$hosts', '$upstream_addr', '$1', 'a$-b']) {
  test(`${text} is refused: an empty text in its place would send everything to one endpoint`, (t) => t.true('wrong' in template(any)(text)));
}

const backend = { namespace: 'shop', service: 'web', port: 'http', weight: 1, origin: { kind: 'Ingress', namespace: 'shop', name: 'a' } };

for (const [text, parts] of [
  ['$service_name.$namespace.svc.cluster.local', [{ type: 'Literal', value: 'web.shop.svc.cluster.local' }]],
  ['$service_port', [{ type: 'Literal', value: 'http' }]],
  ['$host.$proxy_upstream_name', [{ type: 'Host' }, { type: 'Literal', value: '.shop-web-http' }]],
] as const) {
  test(`${text} is filled in from the backend`, (t) => {
    const parsed = template(regexCharacters)(text);
    t.deepEqual('value' in parsed ? forBackend(parsed.value, backend) : parsed, parts as never);
  });
}

test('who writes an unknown variable is told every known one', (t) => {
  const parsed = template(variables)('$nonsense');
  const wrong = 'wrong' in parsed ? parsed.wrong : '';
  for (const name of 'host scheme request_uri args is_args remote_user request_id server_name namespace ingress_name service_name location_path'.split(' ')) t.true(wrong.includes(`$${name} `), name);
});

test('characters are checked first', (t) => {
  t.true('wrong' in template(variables)('$host.example'));
  t.true('value' in template(regexCharacters)('$host.example'));
  t.true('wrong' in template(regexCharacters)('$host\r\nx: y'));
});

test('times are whole seconds from one on, and no longer than a timer can be', (t) => {
  t.deepEqual(seconds('5'), { value: 5000 });
  t.deepEqual(seconds('99999999'), { value: 2 ** 31 - 1 });
  for (const text of ['0', '-1', '5s', '1.5', '', ' 5']) t.true('wrong' in seconds(text), text);
  t.deepEqual(secondsOrNone('0'), { value: 0 });
});

test('proxy-next-upstream is a list of words with blanks', (t) => {
  t.deepEqual(nextUpstream(' error  timeout http_503 '), { value: { on: ['error', 'timeout', '503'], nonIdempotent: false } });
  t.deepEqual(nextUpstream('invalid_header'), { value: { on: ['invalid-response'], nonIdempotent: false } });
  t.deepEqual(nextUpstream('non_idempotent error error'), { value: { on: ['error'], nonIdempotent: true } });
  t.deepEqual(nextUpstream('error off'), { value: { on: [], nonIdempotent: false } });
  for (const text of ['', 'http_501', 'Error', 'error,timeout']) t.true('wrong' in nextUpstream(text), text);
});
