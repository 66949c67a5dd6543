/** A command that cannot do what it was asked: its message goes to stderr, the exit code is 1. */
export class CommandFailed extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CommandFailed'
  }
}
