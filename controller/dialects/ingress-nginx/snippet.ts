// Whether a snippet of nginx's configuration, none of which is read here, may keep somebody out. Told from the rest is only what shapes
// answers, compresses, buffers or waits; fields that are set on requests are not, because an application may trust them.

const HARMLESS: ReadonlySet<string> = new Set([
  'access_log', 'add_header', 'add_trailer', 'brotli', 'brotli_comp_level', 'brotli_types', 'charset', 'chunked_transfer_encoding', 'client_body_buffer_size',
  'default_type', 'etag', 'expires', 'gzip', 'gzip_comp_level', 'gzip_min_length', 'gzip_proxied', 'gzip_types', 'gzip_vary', 'keepalive_timeout',
  'log_not_found', 'more_clear_headers', 'more_set_headers', 'proxy_buffer_size', 'proxy_buffering', 'proxy_buffers', 'proxy_busy_buffers_size',
  'proxy_connect_timeout', 'proxy_hide_header', 'proxy_http_version', 'proxy_max_temp_file_size', 'proxy_pass_header', 'proxy_read_timeout',
  'proxy_request_buffering', 'proxy_send_timeout', 'send_timeout', 'server_tokens', 'sub_filter', 'sub_filter_once', 'sub_filter_types', 'tcp_nodelay',
]);
const COMMENT_LINE = /^[ \t]*#.*$/gm;

/** True also for what is not understood, such as a semicolon within quotes. */
export function mayKeepOut(snippet: string): boolean {
  const statements = snippet.replaceAll(COMMENT_LINE, '').split(';');
  const rest = statements.pop() ?? '';
  return rest.trim() !== '' || statements.some((statement) => !HARMLESS.has(/^\s*([a-z_]+)\s/.exec(statement)?.[1] ?? ''));
}
