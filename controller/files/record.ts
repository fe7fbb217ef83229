// One file as it was last read: its objects' claims, and what is wrong in it. A version that cannot be read or parsed keeps
// the claims of the last one that could.
import type { Origin } from '../../proxy/table/origin.ts';
import { objectKey } from '../kube/objects.ts';
import type { Kind } from '../kube/objects.ts';
import { KINDS } from '../kube/state.ts';
import type { Problem } from '../model/problem.ts';
import type { Claim } from './claims.ts';
import { parseFile } from './documents.ts';
import type { Piece, PieceItem, PlacedPiece } from './documents.ts';

/** Where in a file something stands: a line, or an object in a piece of it (its line is looked up when asked for). */
export type Place = { readonly file: string; readonly line: number } | { readonly file: string; readonly startLine: number; readonly piece: Piece; readonly item: PieceItem };

export interface FileClaim extends Claim {
  readonly place: Place;
}

export interface FileRecord {
  readonly path: string;
  readonly rank: string;
  /** Of the version that was read last, sound or not. */
  readonly stamp: string;
  /** Of the last version that parsed; undefined if none ever did. */
  readonly text: string | undefined;
  readonly pieces: readonly PlacedPiece[];
  readonly claims: readonly FileClaim[];
  /** Of documents that cannot be told to be any object, and of words in others that Kubernetes does not have. */
  readonly problems: readonly Problem[];
  /** What keeps the present version of the file from being taken. */
  readonly failure: Problem | undefined;
  /** Where the origins of this record's Problems stand; they are found by identity, because broken objects may have no name. */
  readonly places: readonly (readonly [Origin, Place])[];
}

export interface FileText {
  readonly path: string;
  readonly rank: string;
  readonly stamp: string;
  readonly format: 'yaml' | 'json';
  readonly text: string;
}

/** Reads the objects of a new version of a file; `old` is the record of its last version. */
export function recordOf(file: FileText, old: FileRecord | undefined): FileRecord {
  const { path, rank, stamp, text } = file;
  const known = new Map((old?.pieces ?? []).map(({ piece }) => [piece.text, piece]));
  const pieces = parseFile(file.format, text, known);
  if ('message' in pieces) return failedRecord(file, old, { reason: 'FileNotParsed', ...pieces });

  const claims: FileClaim[] = [];
  const problems: Problem[] = [];
  const places: (readonly [Origin, Place])[] = [];
  for (const { piece, startLine } of pieces) {
    for (const item of piece.items) {
      const { decoded, misspelt } = item;
      const place: Place = { file: path, startLine, piece, item };
      for (const { origin } of misspelt) places.push([origin, place]);
      problems.push(...misspelt);
      if (decoded === 'passed over') continue;
      const shared = { rank, index: claims.length, file: path, place };
      if ('object' in decoded) {
        claims.push({ ...shared, kind: decoded.object.kind, key: objectKey(decoded.object.metadata), object: decoded.object, problems: [] });
        continue;
      }
      const [first] = decoded.problems;
      const kind = KINDS.find((known) => known === first?.origin.kind);
      const named = first !== undefined && kind !== undefined && first.origin.name !== '';
      const found = kind === undefined ? decoded.problems.map((problem) => ({ ...problem, origin: fileOrigin(path) })) : decoded.problems;
      for (const { origin } of found) places.push([origin, place]);
      if (named) claims.push({ ...shared, kind: kind satisfies Kind, key: objectKey(first.origin), object: undefined, problems: found, remains: decoded.remains });
      else problems.push(...found);
    }
  }
  return { path, rank, stamp, text, pieces, claims, problems, failure: undefined, places };
}

/** The record of a version that cannot be taken: what the file held before goes on. */
export function failedRecord(file: Pick<FileRecord, 'path' | 'rank' | 'stamp'>, old: FileRecord | undefined, failure: { readonly reason: string; readonly message: string; readonly line?: number }): FileRecord {
  const { path, rank, stamp } = file;
  const origin = fileOrigin(path);
  const goesOn = old !== undefined && old.claims.length > 0;
  const problem: Problem = {
    severity: 'error',
    reason: failure.reason,
    origin,
    message: failure.line === undefined ? failure.message : `line ${failure.line}: ${failure.message}`,
    ...(goesOn ? { hint: 'The objects that the file held before stay in force until it is repaired or deleted.' } : {}),
    effect: goesOn ? 'None' : 'ObjectRefused',
  };
  const places: FileRecord['places'] = [...(old?.places ?? []).filter(([known]) => known !== old?.failure?.origin), [origin, { file: path, line: failure.line ?? 1 }]];
  return { path, rank, stamp, text: old?.text, pieces: old?.pieces ?? [], claims: old?.claims ?? [], problems: old?.problems ?? [], failure: problem, places };
}

/** The origin of what is wrong with a file or folder as such. */
export function fileOrigin(path: string): Origin {
  return { kind: 'File', namespace: '', name: path };
}
