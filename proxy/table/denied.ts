// What answers in place of something that must not be open, and cannot be protected as somebody wants it to be.
import type { Respond } from './route.ts';

export const DENIED: Respond = { type: 'Respond', status: 503, body: '', reason: 'RouteDenied' };
