// What the API server answers when it does not do what it was asked, and how long it wants to be left alone.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind

const MAX_SHOWN = 300;
/** No server that means well asks for more. */
const MAX_RETRY_AFTER_S = 3600;

export class ApiError extends Error {
  /** HTTP status, or the code of an ERROR event. */
  readonly status: number;
  /** Machine-readable: `Conflict`, `Expired`, `Forbidden`; empty if the answer has none. */
  readonly reason: string;
  /** How long to wait before the next request, an hour at most; undefined: it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** From a `Status` object, which may be anything; `retryAfter` is the header of that name, in seconds. */
export function apiError(status: number, body: unknown, retryAfter?: string): ApiError {
  const { reason, message, details } = fieldsOf(body);
  const seconds = retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : fieldsOf(details).retryAfterSeconds;
  const text = typeof message === 'string' && message !== '' ? message : `status ${status}`;
  return new ApiError(status, typeof reason === 'string' ? reason : '', text.slice(0, MAX_SHOWN), typeof seconds === 'number' && seconds > 0 ? Math.min(seconds, MAX_RETRY_AFTER_S) * 1000 : undefined);
}

/** The version that was asked for is no longer known: only a new list helps. */
export function isExpired(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** What went wrong, in one line. */
export function errorText(error: unknown): string {
  if (error instanceof ApiError) return `${error.status} ${error.message}`;
  const { code, message } = fieldsOf(error);
  return [code, message].filter((part) => typeof part === 'string' && part !== '').join(': ').slice(0, MAX_SHOWN) || String(error).slice(0, MAX_SHOWN);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
