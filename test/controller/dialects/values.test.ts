import test from 'ava';
import * as values from '../../../controller/dialects/ingress-nginx/values.ts';
import type { Parser } from '../../../controller/dialects/ingress-nginx/values.ts';

/** One row: parser, what it accepts (text and meaning), what it refuses. */
interface Row {
  readonly name: string;
  readonly parse: Parser<unknown>;
  readonly accepts: readonly (readonly [string, unknown])[];
  readonly refuses: readonly string[];
}

const same = (...texts: string[]): [string, string][] => texts.map((text) => [text, text]);

// The table of value types in ingress-nginx, row by row.
const ROWS: readonly Row[] = [
  {
    name: 'bool',
    parse: values.bool,
    accepts: [...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true] as const), ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, false] as const)],
    refuses: ['', ' true', 'true ', 'yes', 'on', 'tRUE', '2', 'true\n'],
  },
  { name: 'int', parse: values.int, accepts: [['0', 0], ['5', 5], ['+5', 5], ['-5', -5], ['007', 7]], refuses: ['', '5s', ' 5', '5 ', '1.5', '1e3', '0x10', '--5', '9007199254740993', '5\n'] },
  {
    name: 'size',
    parse: values.size,
    accepts: [['0', 0], ['512', 512], ['512b', 512], ['8k', 8192], ['8K', 8192], ['1m', 1048576], ['1G', 1073741824]],
    refuses: ['', 'k', '8kb', '8 k', '-1', '1.5m', '1t', '99999999999999g', '8k\r'],
  },
  { name: 'basic', parse: values.basic, accepts: same('', 'aZ09-._~/:'), refuses: ['a b', 'a,b', 'a$b', 'a\nb', 'a\r', 'é', 'a"b', 'a;b'] },
  { name: 'url', parse: values.url, accepts: same('', 'https://a.example/b?c=d&e=f,g'), refuses: ['a b', '$host', '%20', '#x', 'a+b', 'u@h', '(x)', 'a\nb'] },
  { name: 'ngxvar', parse: values.variables, accepts: same('', '${a}-$b_c'), refuses: ['$a b', '$a.b', '$a\n'] },
  {
    name: 'regexchars',
    parse: values.regexCharacters,
    accepts: [...same('', '^/a(b|c)[d]{1}*+?$', '~/x:y.z-_=&\\d'), [' a ', 'a']],
    refuses: ['a b', 'a"b', "a'b", 'a;b', 'a#b', 'a,b', 'a\nb'],
  },
  { name: 'enum cs', parse: values.oneOf('on', 'off'), accepts: [['on', 'on'], [' off ', 'off']], refuses: ['', 'ON', 'on off', 'true'] },
  { name: 'enum ci', parse: values.oneOfIgnoringCase('HTTP', 'GRPC'), accepts: [['grpc', 'GRPC'], [' Http ', 'HTTP']], refuses: ['', 'HTTPS', 'H TTP'] },
  { name: 'any', parse: values.any, accepts: same('', 'what;ever {}\n'), refuses: [] },
  { name: 'basic·ns', parse: values.withoutSpaces(values.basic), accepts: [[' a / b ', 'a/b']], refuses: ['a\tb', 'a\n'] },
  { name: 'size·ns', parse: values.withoutSpaces(values.size), accepts: [[' 8 k ', 8192]], refuses: ['8kk'] },
];

for (const { name, parse, accepts, refuses } of ROWS) {
  test(`values of type ${name} are what ingress-nginx accepts`, (t) => {
    for (const [text, value] of accepts) t.deepEqual(parse(text), { value }, JSON.stringify(text));
    for (const text of refuses) t.true('wrong' in parse(text), JSON.stringify(text));
  });
}
