/** A step that cannot be done; the message says what the user can do about it. */
export class StepFailed extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** One line for the user, on standard error: standard output belongs to the command. */
export function tell(line) {
  process.stderr.write(`amaas: ${line}\n`);
}
