// A failure that its user can mend: the command ends with one line on standard error and this exit code.
// 1: something is wrong with what was looked at or with the machine; 2: the command line is wrong.

export class Failure extends Error {
  readonly exitCode: 1 | 2;

  constructor(exitCode: 1 | 2, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
