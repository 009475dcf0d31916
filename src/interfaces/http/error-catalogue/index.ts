/** Every error code with its meaning and remedy: the source of `/docs/errors` and of docs/reference/errors.md. */
import type { ErrorKind } from '../../../domain/shared/errors.ts';
import { EXIT_CODE_OF_KIND } from '../../cli/exit-codes.ts';
import { STATUS_OF_KIND } from '../problem.ts';
import { CAMPAIGNS } from './campaigns.ts';
import { CONTENT } from './content.ts';
import { ACCESS, AUDIENCE, INPUT, MESSAGES, TRANSPORTS } from './objects.ts';
import { REQUESTS } from './requests.ts';
import { DATABASE, RUNNING } from './running.ts';

export const ERROR_SECTIONS = [INPUT, ACCESS, AUDIENCE, CAMPAIGNS, CONTENT, MESSAGES, TRANSPORTS, RUNNING, DATABASE, REQUESTS];

export const ERRORS_INTRODUCTION =
  'Every failure has a stable code for programs, and a message for people, which may change. Over HTTP it is a problem document (RFC 9457) with the code as `code` and a link to its row here as `type`. The command line prints one line on standard error, or one JSON object with `--json`. In Node it is a `DomainError` with `code`, `kind`, `message` and, where one field is wrong, `pointer`.';

const WHAT_THE_CALLER_CAN_DO: Readonly<Record<ErrorKind, string>> = {
  invalid: 'Correct the input.',
  missing: 'Check the id and the project.',
  conflict: 'Check the present state, then decide.',
  unavailable: 'Try again later.',
  limited: 'Send fewer requests.',
  unauthenticated: 'Send a valid API key.',
  forbidden: 'Use a key with the scope.',
};

/** Rows of kind, HTTP status, exit code and advice. */
export const ERROR_KINDS = Object.entries(WHAT_THE_CALLER_CAN_DO).map(([kind, advice]) => ({
  kind,
  status: STATUS_OF_KIND[kind as ErrorKind],
  exitCode: EXIT_CODE_OF_KIND[kind as ErrorKind],
  advice,
}));
