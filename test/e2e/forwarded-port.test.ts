// The port that an application is told clients came to: that of the socket, or what the flag says where a Service takes one port to another.
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';

test('X-Forwarded-Port is the port that plain HTTP came to, or that of --forwarded-http-port', async (t) => {
  const port = await startBackend(t, 'web', (request, response) => response.end(request.headers['x-forwarded-port']));
  const files = { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', port)) };
  const own = await startFairlead(t, { files, args: ['--access-log', 'off'] });
  t.is((await get(own.http, '/', { host: 'shop.example.com' })).body, String(own.http));
  const behind = await startFairlead(t, { files, args: ['--access-log', 'off', '--forwarded-http-port', '80'] });
  t.is((await get(behind.http, '/', { host: 'shop.example.com' })).body, '80');
});
