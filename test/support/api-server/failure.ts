// An answer other than success, as the API server words it: a `Status` object with a code and a reason.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind

export class ApiFailure extends Error {
  readonly code: number;
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: number, reason: string, message: string, retryAfterSeconds?: number) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  status(): object {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds: this.retryAfterSeconds } }),
      code: this.code,
    };
  }
}

export const badRequest = (message: string): ApiFailure => new ApiFailure(400, 'BadRequest', message);
export const unauthorized = (): ApiFailure => new ApiFailure(401, 'Unauthorized', 'Unauthorized');
export const forbidden = (message: string): ApiFailure => new ApiFailure(403, 'Forbidden', message);
export const notFound = (resource: string, name: string): ApiFailure => new ApiFailure(404, 'NotFound', `${resource} "${name}" not found`);
export const noSuchPath = (): ApiFailure => new ApiFailure(404, 'NotFound', 'the server could not find the requested resource');
export const conflict = (message: string): ApiFailure => new ApiFailure(409, 'Conflict', message);
export const alreadyExists = (resource: string, name: string): ApiFailure => new ApiFailure(409, 'AlreadyExists', `${resource} "${name}" already exists`);
export const expired = (message: string): ApiFailure => new ApiFailure(410, 'Expired', message);
export const invalid = (kind: string, name: string, causes: readonly string[]): ApiFailure => new ApiFailure(422, 'Invalid', `${kind} "${name}" is invalid: ${causes.join(', ')}`);
