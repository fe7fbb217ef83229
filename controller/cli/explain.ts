// `explain`: prints which route answers a request, and why.
import { withoutSecrets } from '../../proxy/table/print.ts';
import { explain as explainRequest } from '../explain.ts';
import type { AskedRequest } from '../explain.ts';
import type { Settings } from '../settings.ts';
import { explainText } from './explain-text.ts';
import type { Usual } from './explain-settings.ts';
import { load } from './load.ts';
import { settingsOf } from './options.ts';

/** Flags aside, which an explanation is to show. */
export function usual(): Usual {
  const { timeouts, limits, forwarding, clusterDefaults } = settingsOf(['--manifests', '.']);
  return { timeouts, maxBodyBytes: limits.bodyBytes, requestBuffering: forwarding.requestBuffering, retry: forwarding.retry, connectTimeoutMs: clusterDefaults.connectTimeoutMs };
}

/** The exit code: 0 if a route answers or TLS is passed through, 1 if none does or the request is refused. */
export async function explain(dirs: readonly string[], asked: AskedRequest, settings: Settings, output: 'text' | 'json'): Promise<number> {
  const { sections, locate, problems } = await load(dirs, settings, true);
  const explained = explainRequest(sections, asked, locate, settings, problems);
  process.stdout.write(output === 'text' ? explainText(explained, usual()) : `${JSON.stringify(withoutSecrets(explained), undefined, 2)}\n`);
  return explained.answer === undefined && explained.passthrough === undefined ? 1 : 0;
}
