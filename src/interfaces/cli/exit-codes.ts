import { DomainError, type ErrorKind } from '../../domain/shared/errors.ts';

/** How a command ends; scripts decide by these, so they never change. docs/reference/errors.md says which error ends how. */
export const EXIT = {
  /** It did what was asked. */
  ok: 0,
  /** It could not, and none of the words below fits: a fault of ours, or figures that do not agree. */
  failed: 1,
  /** Wrong arguments or input that breaks a rule: asking again will not help. */
  usage: 2,
  /** No such thing, in this project. */
  missing: 3,
  /** Not possible in the present state. */
  conflict: 4,
  /** Not possible now: the database, the disk or a limit. Asking again later may help. */
  unavailable: 5,
  /** Not with this key. */
  refused: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_KIND: Readonly<Record<ErrorKind, ExitCode>> = {
  invalid: EXIT.usage,
  missing: EXIT.missing,
  conflict: EXIT.conflict,
  unavailable: EXIT.unavailable,
  limited: EXIT.unavailable,
  unauthenticated: EXIT.refused,
  forbidden: EXIT.refused,
};

/** The exit code for whatever a command threw. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof DomainError ? BY_KIND[error.kind] : EXIT.failed;
}
