// A raw endpoint and the client under test before it, over one of the transports; both are stopped with the test.
import type { ExecutionContext } from 'ava';
import { Dispatchers } from '../../proxy/upstream/dispatchers.ts';
import type { DispatcherOptions } from '../../proxy/upstream/dispatchers.ts';
import { UndiciUpstream } from '../../proxy/upstream/http1/undici-upstream.ts';
import { rawEndpoint } from './endpoint-raw.ts';
import type { RawEndpoint, RawEndpointOptions, Script } from './endpoint-raw.ts';
import type { Transport } from './endpoint-transport.ts';

export interface UpstreamSetup {
  readonly raw: RawEndpoint;
  readonly upstream: UndiciUpstream;
  readonly dispatchers: Dispatchers;
}

export async function upstreamTo(
  t: ExecutionContext,
  transport: Transport,
  script: Script,
  endpoint: RawEndpointOptions = {},
  options: Partial<DispatcherOptions> = {},
): Promise<UpstreamSetup> {
  const raw = await rawEndpoint(script, { ...transport.endpoint, ...endpoint });
  const dispatchers = new Dispatchers(options);
  t.teardown(async () => {
    await dispatchers.destroy();
    await raw.close();
  });
  return { raw, dispatchers, upstream: new UndiciUpstream(dispatchers) };
}
