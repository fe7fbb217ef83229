// The whole corpus of request payloads.
import { CHUNKS } from './chunks.ts';
import { FIELDS } from './fields.ts';
import { FRAMING } from './framing.ts';
import type { Payload } from './payload.ts';
import { REQUESTS } from './requests.ts';

export const PAYLOADS: readonly Payload[] = [...REQUESTS, ...FIELDS, ...FRAMING, ...CHUNKS];
