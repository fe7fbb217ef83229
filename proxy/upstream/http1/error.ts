// Errors of the lean client, with codes as undici's and the system's have them, so that errors.ts reads all of them alike.

/** An error with a code, as undici's and the system's have one. */
export class Http1ClientError extends Error {
  readonly code: 'UND_ERR_SOCKET' | 'UND_ERR_INVALID_ARG' | 'UND_ERR_DESTROYED' | 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' | 'HPE_INVALID_RESPONSE';

  constructor(code: Http1ClientError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
