// What the groups about TLS share: their effect is on the connections of the hosts, and they name Secrets.
import type { Origin } from '../../../proxy/table/origin.ts';
import type { ConnectionIntent } from '../../model/translation.ts';
import type { TranslationEffect } from './group.ts';
import { basic, withoutSpaces } from './values.ts';
import type { Parser } from './values.ts';

export function withConnection(wish: ConnectionIntent): TranslationEffect {
  return (translation) => ({ ...translation, connection: { ...translation.connection, ...wish } });
}

/** `namespace/name` of a Secret in the namespace of the Ingress. Another namespace is not allowed: its owner was not asked. */
export function secretIn({ namespace }: Origin): Parser<string> {
  return withoutSpaces((text) => {
    const read = basic(text);
    if ('wrong' in read) return read;
    const [own, name, ...rest] = text.split('/');
    if (name === undefined || name === '' || rest.length > 0) return { wrong: 'must be namespace/name of a Secret' };
    return own === namespace ? { value: text } : { wrong: `must name a Secret in the namespace of the Ingress, ${namespace}` };
  });
}

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** A list with blanks or commas between: the oldest and the newest of them. */
export const protocols: Parser<{ readonly minVersion: (typeof VERSIONS)[number]; readonly maxVersion: (typeof VERSIONS)[number] }> = (text) => {
  const words = text.split(/[ ,]+/).filter((word) => word !== '');
  const found = VERSIONS.filter((version) => words.includes(version));
  const [minVersion, maxVersion = minVersion] = found;
  if (minVersion === undefined || maxVersion === undefined || words.some((word) => !found.some((version) => version === word))) return { wrong: `may hold only ${VERSIONS.join(' and ')}` };
  return { value: { minVersion, maxVersion } };
};
