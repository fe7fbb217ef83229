// What endpoints answer that they should not, and near it what is fine. `outcome`: the status that the client gets, `cut` for an
// answer that visibly ends too early. `again`: whether the endpoint's connection may carry another request.

export interface AnswerPayload {
  readonly family: string;
  readonly name: string;
  /** What the endpoint writes once the request is there. */
  readonly bytes: string;
  readonly outcome: number | 'cut';
  readonly again: boolean;
  readonly method: string;
  /** The endpoint closes its connection behind the bytes. */
  readonly closes: boolean;
  /** What undici, which speaks to TLS endpoints, makes of it where it differs: nothing of this can be told from a well-formed answer once undici has read it. */
  readonly tls?: { readonly outcome?: number; readonly again?: boolean };
}

/** `[name, bytes, outcome, { again, method, closes }]`; a 502 or a cut answer is never followed by another request. */
type Row = readonly [string, string, number | 'cut', Partial<AnswerPayload>?];

function family(name: string, rows: readonly Row[]): AnswerPayload[] {
  return rows.map(([what, bytes, outcome, more]) => ({ family: name, name: what, bytes, outcome, again: outcome !== 502 && outcome !== 'cut', method: 'GET', closes: false, ...more }));
}

const OK = 'HTTP/1.1 200 OK\r\n';
const answer = (fields: string, body = ''): string => `${OK}${fields}\r\n${body}`;
const chunked = (body: string): string => answer('Transfer-Encoding: chunked\r\n', body);
const ONCE = { again: false } as const;
const CLOSES = { again: false, closes: true } as const;
/** What an attacker would like the next client to get. */
const POISON = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON';

export const ANSWERS: readonly AnswerPayload[] = [
  ...family('answer length', [
    ['Content-Length', answer('Content-Length: 2\r\n', 'ok'), 200],
    ['zero', answer('Content-Length: 0\r\n'), 200],
    ['leading zeros', answer('Content-Length: 0002\r\n', 'ok'), 200],
    ['chunks', chunked('2\r\nok\r\n0\r\n\r\n'), 200],
    ['the end of the connection', answer('', 'ok'), 200, CLOSES],
    ['the end of the connection in HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nok', 200, CLOSES],
    ['HTTP/1.0 with a length', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', 200, ONCE],
    ['HTTP/1.0 with keep-alive', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok', 200],
    ['Content-Length, then Transfer-Encoding', answer('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '2\r\nok\r\n0\r\n\r\n'), 502],
    ['Transfer-Encoding, then Content-Length', answer('Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', '2\r\nok\r\n0\r\n\r\n'), 502],
    ['two different Content-Length', answer('Content-Length: 2\r\nContent-Length: 3\r\n', 'okx'), 502],
    ['two Content-Length of the same value', answer('Content-Length: 2\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['a list as Content-Length', answer('Content-Length: 2, 2\r\n', 'ok'), 502],
    ['a signed Content-Length', answer('Content-Length: +2\r\n', 'ok'), 502],
    ['a negative Content-Length', answer('Content-Length: -2\r\n', 'ok'), 502],
    ['a hexadecimal Content-Length', answer('Content-Length: 0x2\r\n', 'ok'), 502],
    ['an empty Content-Length', answer('Content-Length:\r\n', 'ok'), 502],
    ['a Content-Length of 2^64 + 2', answer('Content-Length: 18446744073709551618\r\n', 'ok'), 502],
    ['Content-Length with a blank in it', answer('Content-Length: 2 2\r\n', 'ok'), 502],
    ['Transfer-Encoding twice', answer('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '2\r\nok\r\n0\r\n\r\n'), 502],
    ['gzip, chunked', answer('Transfer-Encoding: gzip, chunked\r\n', '2\r\nok\r\n0\r\n\r\n'), 502],
    ['chunked, identity', answer('Transfer-Encoding: chunked, identity\r\n', '2\r\nok\r\n0\r\n\r\n'), 502],
    ['identity', answer('Transfer-Encoding: identity\r\n', 'ok'), 502],
    ['an unknown coding', answer('Transfer-Encoding: xchunked\r\n', '2\r\nok\r\n0\r\n\r\n'), 502],
    ['Transfer-Encoding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 502, { tls: { outcome: 200 } }],
    ['a blank before the colon of Content-Length', answer('Content-Length : 2\r\n', 'ok'), 502],
    ['a blank before the colon of Transfer-Encoding', answer('Transfer-Encoding : chunked\r\n', '2\r\nok\r\n0\r\n\r\n'), 502],
  ]),
  ...family('answer line ends', [
    ['bare LF everywhere', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok', 502],
    ['bare LF behind the status line', 'HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok', 502],
    ['bare LF behind a field', answer('X: a\nContent-Length: 2\r\n', 'ok'), 502],
    ['bare LF at the end of the head', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok', 502, { closes: true }],
    ['bare CR behind a field', answer('X: a\rContent-Length: 2\r\n', 'ok'), 502],
    ['CR CR LF', answer('X: a\r\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['a folded line', answer('X: a\r\n b\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['a folded first line', 'HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 2\r\n\r\nok', 502],
    ['an empty line before the status line', `\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 502, { tls: { outcome: 200, again: true } }],
  ]),
  ...family('answer fields', [
    ['obs-text in a value', answer('X: caf\xe9\r\nContent-Length: 2\r\n', 'ok'), 200],
    ['an empty value', answer('X:\r\nContent-Length: 2\r\n', 'ok'), 200],
    ['an underscore in a name', answer('X_Y: 1\r\nContent-Length: 2\r\n', 'ok'), 200],
    ['two Set-Cookie', answer('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n', 'ok'), 200],
    ['the names of object prototypes', answer('__proto__: 1\r\nconstructor: 1\r\nContent-Length: 2\r\n', 'ok'), 200],
    ['Upgrade without 101', answer('Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n', 'ok'), 200],
    ['fields nominated by Connection', answer('Connection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n', 'ok'), 200],
    ['NUL in a value', answer('X: a\0b\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['NUL in a name', answer('X\0: a\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['BEL in a value', answer('X: \x07\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['DEL in a value', answer('X: \x7f\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['obs-text in a name', answer('X\xe9: a\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['a blank in a name', answer('X Y: a\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['no colon', answer('abc\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['an empty name', answer(': a\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['a status line as field', answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n', 'ok'), 502],
    ['a head that is too large', answer(`X: ${'y'.repeat(300_000)}\r\nContent-Length: 2\r\n`, 'ok'), 502],
    ['a head without end', `${OK}X: ${'y'.repeat(300_000)}`, 502],
    ['too many fields', answer(`${'X: y\r\n'.repeat(3_000)}Content-Length: 2\r\n`, 'ok'), 502],
  ]),
  ...family('answer status', [
    ['200 without reason', 'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok', 200],
    ['200 and nothing behind it', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok', 200],
    ['299', 'HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok', 299],
    ['599', 'HTTP/1.1 599 Odd\r\nContent-Length: 2\r\n\r\nok', 599],
    ['obs-text in the reason', 'HTTP/1.1 200 d\xe9j\xe0\r\nContent-Length: 2\r\n\r\nok', 200],
    ['99', 'HTTP/1.1 99 X\r\nContent-Length: 2\r\n\r\nok', 502],
    ['20', 'HTTP/1.1 20 X\r\nContent-Length: 2\r\n\r\nok', 502],
    ['2000', 'HTTP/1.1 2000 X\r\nContent-Length: 2\r\n\r\nok', 502],
    ['600', 'HTTP/1.1 600 X\r\nContent-Length: 2\r\n\r\nok', 502],
    ['999', 'HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nok', 502],
    ['000', 'HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\nok', 502],
    ['letters', 'HTTP/1.1 abc X\r\nContent-Length: 2\r\n\r\nok', 502],
    ['signed', 'HTTP/1.1 +20 X\r\nContent-Length: 2\r\n\r\nok', 502],
    ['missing', 'HTTP/1.1\r\nContent-Length: 2\r\n\r\nok', 502],
    ['two blanks before it', 'HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok', 502],
    ['no blank behind it', 'HTTP/1.1 200OK\r\nContent-Length: 2\r\n\r\nok', 502],
    ['NUL in the reason', 'HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok', 502],
    ['CR in the reason', 'HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok', 502],
    ['version 2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok', 502, { tls: { outcome: 200 } }],
    ['version 1.2', 'HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok', 502],
    ['version 0.9', 'HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok', 502, { tls: { outcome: 200 } }],
    ['version 1.10', 'HTTP/1.10 200 OK\r\nContent-Length: 2\r\n\r\nok', 502],
    ['lower case', 'http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 502],
    ['another protocol', 'ICY 200 OK\r\nContent-Length: 2\r\n\r\nok', 502],
    ['no status line at all', '<html>hello</html>', 502],
    ['a request', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 502],
    ['junk before it', `xyz${answer('Content-Length: 2\r\n', 'ok')}`, 502],
    ['HTTP/2 frames', '\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64', 502],
    ['a TLS alert', '\x15\x03\x01\0\x02\x02\x46', 502],
  ]),
  ...family('answer chunks', [
    ['an extension', chunked('2;x=y\r\nok\r\n0\r\n\r\n'), 200],
    ['trailers', chunked('2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n'), 200],
    ['0x', chunked('0x2\r\nok\r\n0\r\n\r\n'), 'cut'],
    ['a minus sign', chunked('-2\r\nok\r\n0\r\n\r\n'), 'cut'],
    ['a blank behind the size', chunked('2 \r\nok\r\n0\r\n\r\n'), 'cut'],
    ['an empty size', chunked('\r\nok\r\n0\r\n\r\n'), 'cut'],
    ['a size of 2^64 + 2', chunked('10000000000000002\r\nok\r\n0\r\n\r\n'), 'cut'],
    ['a size line that ends in LF', chunked('2\nok\r\n0\r\n\r\n'), 'cut'],
    ['a chunk that ends in LF', chunked('2\r\nok\n0\r\n\r\n'), 'cut'],
    ['a chunk without end', chunked('2\r\nok0\r\n\r\n'), 'cut'],
    ['data longer than the size', chunked('1\r\nok\r\n0\r\n\r\n'), 'cut'],
    ['an extension with a bare LF', chunked('2;x\nok\r\n0\r\n\r\n'), 'cut'],
    ['an extension with CR', chunked('2;x\ry\r\nok\r\n0\r\n\r\n'), 'cut'],
    ['trailers that end in LF', chunked('2\r\nok\r\n0\r\nX: 1\n\r\n'), 'cut'],
    ['a malformed trailer', chunked('2\r\nok\r\n0\r\nX : 1\r\n\r\n'), 'cut'],
    ['Content-Length in the trailers', chunked('2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n'), 'cut'],
    ['the end of the connection within a chunk', chunked('5\r\nok'), 'cut', CLOSES],
    ['the end of the connection before the last chunk', chunked('2\r\nok\r\n'), 'cut', CLOSES],
    ['the end of the connection within the last chunk', chunked('2\r\nok\r\n0\r\n'), 'cut', CLOSES],
  ]),
  ...family('answer end', [
    ['bytes behind the length', answer('Content-Length: 2\r\n', 'okPOISON'), 200, ONCE],
    ['an answer behind the length', answer('Content-Length: 2\r\n', `ok${POISON}`), 200, ONCE],
    ['an answer behind the last chunk', chunked(`2\r\nok\r\n0\r\n\r\n${POISON}`), 200, ONCE],
    ['an empty line behind the length', answer('Content-Length: 2\r\n', 'ok\r\n'), 200, { again: false, tls: { again: true } }],
    ['an answer behind an empty body', answer('Content-Length: 0\r\n', POISON), 200, ONCE],
    ['shorter than the length', answer('Content-Length: 10\r\n', 'ok'), 'cut', CLOSES],
    ['nothing of the length', answer('Content-Length: 10\r\n'), 'cut', CLOSES],
    ['HEAD with a body', answer('Content-Length: 2\r\n', 'ok'), 200, { method: 'HEAD', again: false }],
    ['HEAD with an answer as body', answer(`Content-Length: ${POISON.length}\r\n`, POISON), 200, { method: 'HEAD', again: false }],
    ['HEAD with chunks', chunked('2\r\nok\r\n0\r\n\r\n'), 200, { method: 'HEAD', again: false }],
    ['HEAD that says no length', answer(''), 200, { method: 'HEAD' }],
    ['204 with a length', 'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok', 204, ONCE],
    ['204 with an answer behind it', `HTTP/1.1 204 No Content\r\n\r\n${POISON}`, 204, ONCE],
    ['204 with chunks', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 204, ONCE],
    ['304 with a body', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok', 304, ONCE],
    ['304 with an answer behind it', `HTTP/1.1 304 Not Modified\r\n\r\n${POISON}`, 304, ONCE],
    ['205 with a length', 'HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nok', 205],
    ['Connection: close', answer('Connection: close\r\nContent-Length: 2\r\n', 'ok'), 200, ONCE],
    ['nothing at all', '', 502, CLOSES],
    ['an unfinished head', 'HTTP/1.1 200 OK\r\nContent-Le', 502, CLOSES],
    ['half a status line', 'HTTP/1.', 502, CLOSES],
  ]),
  ...family('interim answers', [
    ['one', `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 200],
    ['100 that nobody asked for', `HTTP/1.1 100 Continue\r\n\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 200, { tls: { outcome: 502, again: false } }],
    ['twenty', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(20) + answer('Content-Length: 2\r\n', 'ok'), 200],
    ['199', `HTTP/1.1 199 Odd\r\n\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 200],
    ['a thousand', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1_000) + answer('Content-Length: 2\r\n', 'ok'), 502],
    ['with a length', `HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 502],
    ['with an empty length', `HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 502],
    ['with chunks', `HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 502],
    ['with Connection: close', `HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 502],
    ['in HTTP/1.0', `HTTP/1.0 103 Early Hints\r\n\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 502],
    ['a malformed one', `HTTP/1.1 103 Early Hints\r\nX : 1\r\n\r\n${answer('Content-Length: 2\r\n', 'ok')}`, 502],
    ['and nothing else', 'HTTP/1.1 103 Early Hints\r\n\r\n', 502, CLOSES],
    ['101 that nobody asked for', `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n${POISON}`, 502],
    ['101 behind another', `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n`, 502],
  ]),
];
