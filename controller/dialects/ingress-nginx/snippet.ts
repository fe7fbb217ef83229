// Whether a snippet of nginx's configuration, none of which is read here, may keep somebody out. Told from the rest is only what shapes
// answers, compresses, buffers, waits, or lets in more than nginx does by itself. Fields that are set on requests are not, because an
// application may trust them, but for those that no client sets here either.
import { OWN_NAMES } from '../../../proxy/http/forwarded.ts';

const HARMLESS: ReadonlySet<string> = new Set([
  'access_log', 'add_header', 'add_trailer', 'brotli', 'brotli_comp_level', 'brotli_types', 'charset', 'chunked_transfer_encoding',
  'client_body_buffer_size', 'client_body_timeout', 'client_header_buffer_size', 'client_header_timeout', 'default_type', 'etag', 'expires',
  'grpc_connect_timeout', 'grpc_read_timeout', 'grpc_send_timeout', 'gzip', 'gzip_buffers', 'gzip_comp_level', 'gzip_disable', 'gzip_http_version',
  'gzip_min_length', 'gzip_proxied', 'gzip_types', 'gzip_vary', 'keepalive_timeout', 'large_client_header_buffers',
  'log_not_found', 'more_clear_headers', 'more_set_headers', 'proxy_buffer_size', 'proxy_buffering', 'proxy_buffers', 'proxy_busy_buffers_size',
  'proxy_connect_timeout', 'proxy_cookie_domain', 'proxy_cookie_path', 'proxy_headers_hash_bucket_size', 'proxy_headers_hash_max_size',
  'proxy_hide_header', 'proxy_http_version', 'proxy_ignore_client_abort', 'proxy_max_temp_file_size', 'proxy_next_upstream',
  'proxy_next_upstream_timeout', 'proxy_next_upstream_tries', 'proxy_pass_header', 'proxy_read_timeout', 'proxy_redirect', 'proxy_request_buffering',
  'proxy_send_timeout', 'proxy_ssl_name', 'proxy_ssl_server_name', 'send_timeout', 'server_tokens', 'sub_filter', 'sub_filter_once',
  'sub_filter_types', 'tcp_nodelay', 'tcp_nopush',
]);
/** Blanks, a comment, the end of a directive, or a word: in quotes, or up to a blank, a semicolon or a block. nginx takes a quote within a word for itself. */
const TOKEN = /[ \t\r\n]+|#[^\n]*|;|"(?:\\.|[^"\\])*"(?=[ \t\r\n;])|'(?:\\.|[^'\\])*'(?=[ \t\r\n;])|(?:\\.|\$\{|[^ \t\r\n;{}"'#\\])(?:\\.|\$\{|[^ \t\r\n;{\\])*/gsy;

/** Harmless with this value, which lets in more, and with no other. */
const LOOSENED: ReadonlyMap<string, string> = new Map([['client_max_body_size', '0'], ['ignore_invalid_headers', 'off'], ['underscores_in_headers', 'on']]);
/** Of the connection to the endpoint, which is Fairlead's own. */
const HOP_BY_HOP: ReadonlySet<string> = new Set(['connection', 'upgrade']);

/** True also for what is not understood, such as a block. */
export function mayKeepOut(snippet: string): boolean {
  let understood = 0;
  let directive: string[] = [];
  for (const [token] of snippet.matchAll(TOKEN)) {
    understood += token.length;
    if (token === ';') {
      if (!isHarmless(directive)) return true;
      directive = [];
    } else if (!/^[ \t\r\n#]/.test(token)) {
      directive.push(token);
    }
  }
  return directive.length > 0 || understood < snippet.length;
}

function isHarmless([name = '', first = '']: readonly string[]): boolean {
  if (LOOSENED.has(name)) return LOOSENED.get(name) === first;
  if (name !== 'proxy_set_header' && name !== 'grpc_set_header') return HARMLESS.has(name);
  const lower = first.toLowerCase();
  return HOP_BY_HOP.has(lower) || OWN_NAMES.has(lower);
}
