// The text of one file into decoded objects. A YAML text is cut at its `---` lines first and every piece is parsed alone:
// pieces that did not change since the last version of the file are taken over with their objects, so that the cost of an
// edit follows the edit and not the file. Messages never quote the text, because it may hold a private key.
import { isScalar, parseAllDocuments, visit } from 'yaml';
import type { Document, EmptyStream, ErrorCode, ParsedNode, YAMLError } from 'yaml';
import { decodeAll } from '../kube/decode.ts';
import type { DecodedItem } from '../kube/decode.ts';

/** A piece of a file, parsed. `text` is a copy of its own, so that an object that outlives an edit does not keep the whole old file in memory. */
export interface Piece {
  readonly text: string;
  readonly items: readonly PieceItem[];
}

/** One object of a piece; `document` counts the YAML documents in the piece from 0. */
export interface PieceItem extends DecodedItem {
  readonly document: number;
}

/** A piece and the 0-based line of the file on which it begins. */
export interface PlacedPiece {
  readonly piece: Piece;
  readonly startLine: number;
}

/** Where and why a text is not YAML or JSON; the line counts from 1. */
export interface SyntaxProblem {
  readonly line: number;
  readonly message: string;
}

type ParsedPiece = { readonly piece: Piece } | SyntaxProblem;

/** How the whole project reads YAML: version 1.2, core tags alone. Duplicate keys are looked for here, because the package's own search is quadratic. */
export const YAML_OPTIONS = { version: '1.2', schema: 'core', strict: true, stringKeys: true, merge: true, uniqueKeys: false, resolveKnownTags: false, prettyErrors: false, logLevel: 'silent' } as const;
/** An alias may multiply what it stands for this many times, all in all. */
const MAX_ALIAS_COUNT = 100;

/** Parses a whole file; `known` are the pieces of its last version, by text. Gives all pieces, or the first thing that is wrong. */
export function parseFile(format: 'yaml' | 'json', text: string, known: ReadonlyMap<string, Piece>): readonly PlacedPiece[] | SyntaxProblem {
  const pieces: PlacedPiece[] = [];
  let startLine = 0;
  for (const part of format === 'json' ? [text] : splitDocuments(text)) {
    const old = known.get(part);
    const parsed = old === undefined ? (format === 'json' ? parseJson(part) : parseYaml(part)) : { piece: old };
    if (!('piece' in parsed)) return { line: startLine + parsed.line, message: parsed.message };
    pieces.push({ piece: parsed.piece, startLine });
    startLine += countLines(part, part.length);
  }
  return pieces;
}

/** How many line feeds stand before an offset. */
export function countLines(text: string, offset: number): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}

/** `---` at the start of a line ends a document wherever it stands (YAML 1.2 §9.1.2). A text with directives stays whole, because those belong to what follows. */
function splitDocuments(text: string): readonly string[] {
  if (/^%/m.test(text)) return [text];
  const parts: string[] = [];
  let from = 0;
  for (const marker of text.matchAll(/^---(?=[ \t\r\n]|$)/gm)) {
    if (marker.index > from) parts.push(text.slice(from, marker.index));
    from = marker.index;
  }
  parts.push(text.slice(from));
  return parts;
}

function parseYaml(part: string): ParsedPiece {
  const text = Buffer.from(part).toString();
  const items: PieceItem[] = [];
  const documents = readDocuments(text);
  const refuse = (error: YAMLError): SyntaxProblem => ({ line: countLines(text, error.pos[0]) + 1, message: SYNTAX_MESSAGES[error.code] ?? 'this is not valid YAML' });
  if ('empty' in documents && documents.errors[0] !== undefined) return refuse(documents.errors[0]);
  for (const [index, document] of documents.entries()) {
    const error = document.errors[0] ?? document.warnings[0];
    if (error !== undefined) return refuse(error);
    const repeated = repeatedKey(document);
    if (repeated !== undefined) return { line: countLines(text, repeated) + 1, message: 'the same key stands twice in one mapping' };
    if (document.contents === null) continue;
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: MAX_ALIAS_COUNT });
    } catch {
      return { line: countLines(text, document.contents.range[0]) + 1, message: `aliases multiply this document more than ${MAX_ALIAS_COUNT} times, or do not resolve` };
    }
    // A document of comments and blanks alone.
    if (value === null) continue;
    for (const item of decodeAll(value)) items.push({ ...item, document: index });
  }
  return { piece: { text, items } };
}

/** The YAML documents of a text; an empty list if it holds none. */
export function readDocuments(text: string): readonly Document.Parsed<ParsedNode>[] | EmptyStream {
  return parseAllDocuments(text, YAML_OPTIONS);
}

/** Offset of a key that its mapping holds already. */
function repeatedKey(document: Document.Parsed<ParsedNode>): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Map(_key, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          offset = key.range?.[0] ?? 0;
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return offset;
}

function parseJson(text: string): ParsedPiece {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8 quotes the text in its message, but names the line as well.
    const line = /\(line (\d+) column \d+\)$/.exec(String(error))?.[1];
    return { line: line === undefined ? countLines(text, text.length) + 1 : Number(line), message: 'this is not valid JSON' };
  }
  const repeated = repeatedJsonKey(text);
  if (repeated !== undefined) return { line: countLines(text, repeated) + 1, message: 'the same key stands twice in one object' };
  return { piece: { text, items: decodeAll(value).map((item) => ({ ...item, document: 0 })) } };
}

/** The same for a text that is valid JSON already, so that braces and strings are all that needs to be told apart. */
function repeatedJsonKey(text: string): number | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token.endsWith(':')) {
      const key: string = JSON.parse(token.slice(0, -1));
      const seen = open.at(-1);
      if (seen?.has(key) === true) return index;
      seen?.add(key);
    }
  }
  return undefined;
}

/** The package's own messages quote the text; these do not. */
const SYNTAX_MESSAGES: { readonly [Code in ErrorCode]?: string } = {
  ALIAS_PROPS: 'an alias has an anchor or tag of its own, which is not allowed',
  BAD_ALIAS: 'an alias stands for an anchor that is not there',
  BAD_COLLECTION_TYPE: 'a tag does not fit the list or mapping that follows it',
  BAD_DIRECTIVE: 'a line that begins with % is no directive that YAML knows',
  BAD_DQ_ESCAPE: 'a text in double quotes holds a \\ sequence that YAML does not know',
  BAD_INDENT: 'the indentation does not fit the lines before',
  BAD_PROP_ORDER: 'an anchor or tag stands in the wrong place',
  BAD_SCALAR_START: 'a text begins with a character that needs quotes around it',
  BLOCK_AS_IMPLICIT_KEY: 'a mapping begins inside a line that is already part of one (a second ": " in the line?)',
  BLOCK_IN_FLOW: 'a list or mapping of indented lines stands inside brackets',
  DUPLICATE_KEY: 'the same key stands twice in one mapping',
  IMPOSSIBLE: 'this is not valid YAML',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters',
  MISSING_CHAR: 'something is missing here: a quote, a bracket, a comma, a colon or a space',
  MULTILINE_IMPLICIT_KEY: 'a key goes over several lines (a ":" that is missing in the line before?)',
  MULTIPLE_ANCHORS: 'a value has several anchors',
  MULTIPLE_TAGS: 'a value has several tags',
  NON_STRING_KEY: 'a key is a list or mapping; only text is allowed',
  RESOURCE_EXHAUSTION: 'this is nested too deeply',
  TAB_AS_INDENT: 'a tab is used for indentation; only spaces are allowed',
  TAG_RESOLVE_FAILED: 'a tag (!…) is not one of the core tags of YAML, or does not fit its value',
  UNEXPECTED_TOKEN: 'something stands here that does not belong here',
};
