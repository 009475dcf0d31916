import { DomainError, type ErrorKind } from '../../domain/shared/errors.ts';

/** The exit codes of every command. Scripts rely on them, so they never change. */
export const EXIT = { ok: 0, failed: 1, usage: 2, missing: 3, conflict: 4, unavailable: 5, refused: 6 } as const;

/** What `--help` and docs/reference/cli.md say about each. */
export const EXIT_CODES: readonly { readonly code: ExitCode; readonly name: string; readonly meaning: string }[] = [
  { code: EXIT.ok, name: 'done', meaning: 'The command succeeded.' },
  { code: EXIT.failed, name: 'failed', meaning: 'An internal error, a rejected message, or a demo whose figures do not agree.' },
  {
    code: EXIT.usage,
    name: 'invalid input',
    meaning: 'An option, a file or content is wrong. Repeating the command will not help.',
  },
  { code: EXIT.missing, name: 'not found', meaning: 'The object does not exist in this project.' },
  { code: EXIT.conflict, name: 'conflict', meaning: 'The present state of the object does not allow it.' },
  {
    code: EXIT.unavailable,
    name: 'unavailable',
    meaning: 'The database, the disk, a port or an SMTP server is missing. Try again later.',
  },
  { code: EXIT.refused, name: 'refused', meaning: 'The API key is invalid or lacks the scope.' },
];

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODE_OF_KIND: Readonly<Record<ErrorKind, ExitCode>> = {
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
  return error instanceof DomainError ? EXIT_CODE_OF_KIND[error.kind] : EXIT.failed;
}
