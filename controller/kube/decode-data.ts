// Secret and ConfigMap (v1). Their data may hold any character; a Secret's data never shows in a Problem, not even a wrong one.
import { field, mapOf, optionalText, text, textThat } from './decode-readers.ts';
import type { Fields, Read } from './decode-readers.ts';
import type { Reading } from './decode-reading.ts';
import type { ConfigMap, Metadata, Secret } from './objects.ts';

/** `MaxSecretSize` of the API server, for all values together, in bytes. */
const MAX_DATA_BYTES = 1024 * 1024;

const dataKey = textThat((key) => key.length <= 253 && /^[-._a-zA-Z0-9]+$/.test(key), 'a key of at most 253 letters, digits, "-", "_" and "."');

/** Line breaks are allowed inside base64, because YAML block text has them. */
const base64: Read<Buffer> = (value, at) => {
  if (value === null) return Buffer.alloc(0);
  if (typeof value === 'string') {
    const joined = /[\r\n]/.test(value) ? value.replaceAll(/[\r\n]+/g, '') : value;
    const bytes = Buffer.from(joined, 'base64');
    if (bytes.toString('base64') === joined) return bytes;
  }
  return at.refuse(value, 'base64 with padding (RFC 4648 §4); plain text belongs into stringData', Buffer.alloc(0));
};

const plainBytes: Read<Buffer> = (value, at) => (typeof value === 'string' ? Buffer.from(value) : at.refuse(value, 'a string', Buffer.alloc(0)));
const manyLines: Read<string> = (value, at) => (typeof value === 'string' ? value : at.refuse(value, 'a string', ''));

const readData = mapOf(dataKey, base64);
const readStringData = mapOf(dataKey, plainBytes);
const readType = optionalText(text, 'Opaque');
const readConfigData = mapOf(dataKey, manyLines);

export function readSecret(object: Fields, metadata: Metadata, at: Reading): Secret {
  const data = new Map(field(object, 'data', readData, at));
  // stringData wins over data, as in the API.
  for (const [key, value] of field(object, 'stringData', readStringData, at)) data.set(key, value);
  let bytes = 0;
  for (const value of data.values()) bytes += value.length;
  if (bytes > MAX_DATA_BYTES) at.refuseFor(`data has ${bytes} bytes; at most ${MAX_DATA_BYTES} are allowed`, undefined);
  return { kind: 'Secret', metadata, type: field(object, 'type', readType, at), data };
}

export function readConfigMap(object: Fields, metadata: Metadata, at: Reading): ConfigMap {
  return { kind: 'ConfigMap', metadata, data: field(object, 'data', readConfigData, at) };
}
