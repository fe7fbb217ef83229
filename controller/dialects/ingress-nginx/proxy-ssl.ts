// `proxy-ssl-*`: how TLS to endpoints is done, for the routes of the Ingress whose endpoints speak TLS. As in ingress-nginx all
// of it needs `proxy-ssl-secret`; unlike there it holds for this Ingress alone and not for others of the same host.
import { wrongCiphers } from '../../../certs/ciphers.ts';
import type { BackendRef, EncryptionIntent } from '../../model/translation.ts';
import type { Forward } from '../../../proxy/table/route.ts';
import type { Annotations } from './annotations.ts';
import { protocols, secretIn } from './connection.ts';
import { onEveryForward } from './group.ts';
import type { AnnotationGroup } from './group.ts';
import { any, int, oneOf, regexCharacters, withoutSpaces } from './values.ts';
import type { Parser } from './values.ts';

const SECRET = 'proxy-ssl-secret';
const OTHERS = ['proxy-ssl-verify', 'proxy-ssl-verify-depth', 'proxy-ssl-name', 'proxy-ssl-server-name', 'proxy-ssl-ciphers', 'proxy-ssl-protocols'] as const;
const DEEPEST = 100;
/** TLS 1.3 only where it is listed, as there. */
const DEFAULT_PROTOCOLS = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

const onOrOff = withoutSpaces(oneOf('on', 'off'));

/** A name that TLS knows: no address, no variable. */
const serverName: Parser<string> = (text) => {
  const read = regexCharacters(text);
  if ('wrong' in read) return read;
  return /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(read.value) ? { value: read.value.toLowerCase() } : { wrong: 'must be a hostname' };
};

const ciphers: Parser<string> = withoutSpaces<string>((text) => {
  const wrong = wrongCiphers(text);
  return wrong === undefined ? { value: text } : { wrong };
});

export const proxySsl: AnnotationGroup = {
  name: 'ProxySSL',
  reads: [SECRET, ...OTHERS],
  effect: (annotations) => {
    const origin = annotations.origin(SECRET);
    if (annotations.read(SECRET, any, 'default') === undefined) {
      for (const name of OTHERS) if (annotations.read(name, any, 'default') !== undefined) reportIdle(annotations, name);
      return undefined;
    }
    const secret = annotations.read(SECRET, secretIn(origin), 'deny');
    const settings = readSettings(annotations);
    if (secret === undefined) return undefined;
    const send = annotations.read('proxy-ssl-server-name', onOrOff, 'default') === 'on';
    const name = annotations.read('proxy-ssl-name', serverName, settings.verify ? 'deny' : 'default');
    return onEveryForward((action) => {
      const encrypted = (backend: BackendRef): BackendRef => {
        // Nobody's certificate is for the name that ingress-nginx would check then, an internal one.
        const own = name ?? literalHost(action.settings.upstreamHost) ?? `${backend.service}.${backend.namespace}.svc`;
        const encryption: EncryptionIntent = { secret, settings: { ...settings, serverName: own, sendServerName: send }, origin };
        return { ...backend, profile: { ...backend.profile, encryption } };
      };
      const { backends, encryptedBackends } = action;
      return { ...action, backends: backends.map(encrypted), ...(encryptedBackends !== undefined && { encryptedBackends: encryptedBackends.map(encrypted) }) };
    });
  },
};

function readSettings(annotations: Annotations): Pick<EncryptionIntent['settings'], 'verify' | 'depth' | 'ciphers' | 'minVersion' | 'maxVersion'> {
  // A typing error here would turn verification off.
  const verify = annotations.read('proxy-ssl-verify', onOrOff, 'deny') === 'on';
  const depth = annotations.read('proxy-ssl-verify-depth', int, 'default') ?? 1;
  const list = annotations.read('proxy-ssl-ciphers', ciphers, 'default');
  return {
    verify,
    depth: Math.min(Math.max(depth, 1), DEEPEST),
    ...(list !== undefined && list !== 'DEFAULT' && { ciphers: list }),
    ...(annotations.read('proxy-ssl-protocols', protocols, 'default') ?? DEFAULT_PROTOCOLS),
  };
}

/** The Host that endpoints get, where it is the same for every request. */
function literalHost(parts: Forward['upstreamHost']): string | undefined {
  if (parts === undefined || parts.length === 0) return undefined;
  let text = '';
  for (const part of parts) {
    if (part.type !== 'Literal') return undefined;
    text += part.value;
  }
  const parsed = serverName(text.replace(/:\d+$/, ''));
  return 'value' in parsed ? parsed.value : undefined;
}

function reportIdle(annotations: Annotations, name: string): void {
  annotations.report({
    severity: 'warning',
    reason: 'SettingWithoutEffect',
    origin: annotations.origin(name),
    message: `without ${SECRET} it means nothing`,
    effect: 'ValueIgnored',
  });
}
