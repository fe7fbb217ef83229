// What the demo says: the commands to try, and the lines of Fairlead's log that a reader of the terminal wants to see.
import type { Application } from './application.ts';

export interface DemoFacts {
  readonly address: string;
  readonly http: number;
  readonly https: number;
  readonly admin: number;
  /** The certificate that curl is to trust. */
  readonly caFile: string;
  /** Where the examples are. */
  readonly folder: string;
  readonly applications: readonly Application[];
}

/** The page that is printed when everything serves. */
export function instructions({ address, http, https, admin, caFile, folder, applications }: DemoFacts): string {
  const plain = `http://${address}:${http}`;
  const secure = `--cacert ${caFile} --resolve shop.example.com:${https}:${address}`;
  return `
Fairlead serves ${folder}, and these applications play its pods:
${applications.map((application) => `  ${application.name.padEnd(12)} ${application.address}:${application.port}`).join('\n')}

Try, in another terminal:

  # by Host header: the endpoints take turns
  curl -H 'Host: blog.example.com' ${plain}/

  # by path: /api goes to another port of the same pods
  curl -H 'Host: blog.example.com' ${plain}/api/posts

  # over TLS, with HTTP/2
  curl ${secure} https://shop.example.com:${https}/cart

  # a host with a certificate sends plain HTTP there
  curl -i -H 'Host: shop.example.com' ${plain}/cart

  # a WebSocket: 101 and the application's greeting, until curl gives up after two seconds
  curl -i -N --http1.1 --max-time 2 ${secure} -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: ZmFpcmxlYWQgZGVtbyBrZXk=' https://shop.example.com:${https}/live

  # what is served, and why
  curl http://${address}:${admin}/table
  npm run --silent fairlead -- explain ${folder} http://blog.example.com/api/posts

Edit a file in ${folder} and watch this terminal. Ctrl-C ends everything.
`;
}

interface LogEntry {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly table?: number;
  readonly file?: string;
  readonly line?: number;
  readonly object?: string;
  readonly hint?: string;
}

/** One line for people from one line of the log; undefined: it would only be noise here. */
export function logLineText(line: string): string | undefined {
  const entry = JSON.parse(line) as LogEntry;
  const time = new Date(entry.time).toTimeString().slice(0, 8);
  if (entry.table !== undefined && entry.table > 1) return `${time}  ${entry.msg}`;
  if (entry.object === undefined && entry.level !== 'error') return undefined;
  const file = entry.file === undefined ? [] : [`${entry.file}:${entry.line ?? 1}`];
  // A file as such has been named by then.
  const object = entry.object === undefined || entry.object.startsWith('File ') ? [] : [entry.object];
  return `${time}  ${[entry.level, ...file, ...object, entry.msg].join(': ')}${entry.hint === undefined ? '' : ` (${entry.hint})`}`;
}
