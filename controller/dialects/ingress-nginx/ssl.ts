// `ssl-ciphers` and `ssl-prefer-server-ciphers`: the suites of a host for TLS 1.2 (those of TLS 1.3 are all good, and cannot be
// chosen). `ssl-protocols` is Fairlead's own: ingress-nginx knows it for all hosts alone.
import { wrongCiphers } from '../../../certs/ciphers.ts';
import type { ConnectionIntent, Said } from '../../model/translation.ts';
import type { Annotations, IfInvalid } from './annotations.ts';
import { protocols, withConnection } from './connection.ts';
import type { AnnotationGroup } from './group.ts';
import { bool, withoutSpaces } from './values.ts';
import type { Parser } from './values.ts';

const ciphers: Parser<string> = withoutSpaces<string>((text) => {
  const wrong = wrongCiphers(text);
  return wrong === undefined ? { value: text } : { wrong };
});

export const ssl: AnnotationGroup = {
  name: 'SSLCipher',
  reads: ['ssl-ciphers', 'ssl-prefer-server-ciphers', 'ssl-protocols'],
  effect: (annotations) => {
    const wish: ConnectionIntent = {
      ...said('protocols', read(annotations, 'ssl-protocols', protocols, 'deny')),
      ...said('ciphers', read(annotations, 'ssl-ciphers', ciphers, 'deny')),
      ...said('preferServerCiphers', read(annotations, 'ssl-prefer-server-ciphers', bool, 'default')),
    };
    return Object.keys(wish).length === 0 ? undefined : withConnection(wish);
  },
};

function read<T>(annotations: Annotations, name: string, parse: Parser<T>, ifInvalid: IfInvalid): Said<T> | undefined {
  const value = annotations.read(name, parse, ifInvalid);
  return value === undefined ? undefined : { value, origin: annotations.origin(name) };
}

function said<K extends keyof ConnectionIntent>(key: K, value: ConnectionIntent[K]): Pick<ConnectionIntent, K> | object {
  return value === undefined ? {} : { [key]: value };
}
