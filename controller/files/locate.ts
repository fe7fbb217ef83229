// From a field path such as `spec.rules[0].http.paths[1].path` to the line on which it stands. It is asked seldom (for a
// Problem that is shown), so that the text is parsed again then instead of keeping every tree in memory.
import { isMap, isScalar, isSeq } from 'yaml';
import { plain } from '../kube/decode-reading.ts';
import { countLines, readDocuments } from './documents.ts';
import type { PieceItem } from './documents.ts';

/** The last text that was asked for: the Problems of one object, and of a big JSON file, come one after the other. */
let last: { readonly text: string; readonly documents: ReturnType<typeof readDocuments> } | undefined;

/** 0-based line, in the piece's text, of the field of an object, or of the nearest thing around it that exists. */
export function lineInPiece(text: string, item: Pick<PieceItem, 'document' | 'path'>, field = ''): number {
  if (last?.text !== text) last = { text, documents: readDocuments(text) };
  let node: unknown = last.documents[item.document]?.contents;
  let offset = startOf(node) ?? 0;
  for (const step of item.path) {
    node = childOf(node, step)?.value;
    offset = startOf(node) ?? offset;
  }
  let rest = field;
  while (rest !== '') {
    const child = isSeq(node) ? elementAt(node.items, rest) : entryAt(node, rest);
    if (child === undefined) break;
    offset = startOf(child.key) ?? startOf(child.value) ?? offset;
    node = child.value;
    rest = rest.slice(child.length).replace(/^\./, '');
  }
  return countLines(text, offset);
}

interface Child {
  readonly key?: unknown;
  readonly value: unknown;
  /** How much of the field path it took. */
  readonly length: number;
}

function elementAt(items: readonly unknown[], rest: string): Child | undefined {
  const index = /^\[(\d+)\]/.exec(rest);
  const value = index === null ? undefined : items[Number(index[1])];
  return index === null || value === undefined ? undefined : { value, length: index[0].length };
}

/** Keys that the user chose may hold dots and stand with or without brackets (`data[tls.crt]`, `metadata.labels.app.kubernetes.io/name`): the longest key that fits is meant. */
function entryAt(node: unknown, rest: string): Child | undefined {
  if (!isMap(node)) return undefined;
  let found: Child | undefined;
  for (const pair of node.items) {
    const key = keyText(pair.key);
    if (key === undefined) continue;
    for (const written of [key, `[${plain(key)}]`]) {
      const next = rest[written.length];
      if (!rest.startsWith(written) || (next !== undefined && next !== '.' && next !== '[')) continue;
      if (found === undefined || written.length > found.length) found = { key: pair.key, value: pair.value, length: written.length };
    }
  }
  return found;
}

function childOf(node: unknown, step: string | number): { readonly value: unknown } | undefined {
  if (isSeq(node)) return { value: node.items[Number(step)] };
  return isMap(node) ? node.items.find((pair) => keyText(pair.key) === step) : undefined;
}

function keyText(key: unknown): string | undefined {
  return isScalar(key) ? String(key.value) : undefined;
}

function startOf(node: unknown): number | undefined {
  const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
  return Array.isArray(range) ? Number(range[0]) : undefined;
}
