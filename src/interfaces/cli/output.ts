import { DomainError } from '../../domain/shared/errors.ts';
import { type ExitCode, exitCodeOf } from './exit-codes.ts';
import type { Display } from './table.ts';
import { oneLine } from './text.ts';

/** What is needed of standard output and standard error. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/**
 * What a command says. Results go to standard output, as readable text or (`--json`) for programs: then one JSON document on one line
 * and nothing else, so that a pipe can read it. Everything said on the way goes to standard error.
 */
export class Output {
  readonly json: boolean;
  private readonly stdout: TextStream;
  private readonly stderr: TextStream;
  private timeZone: string | undefined;

  constructor(deps: { json: boolean; stdout: TextStream; stderr: TextStream }) {
    this.json = deps.json;
    this.stdout = deps.stdout;
    this.stderr = deps.stderr;
  }

  /** What tables are drawn for: a terminal cuts them, times are those of the project. */
  get display(): Display {
    return { width: this.stdout.isTTY === true ? this.stdout.columns : undefined, timeZone: this.timeZone };
  }

  /** From now on displayed times are in this time zone; JSON stays UTC. */
  showTimesIn(timeZone: string): void {
    this.timeZone = timeZone;
  }

  /** Where progress is drawn. */
  get progressStream(): TextStream {
    return this.stderr;
  }

  /**
   * The result of the command.
   * @param value what `--json` prints; dates become ISO 8601, big integers text, maps objects
   * @param human the same as readable text; called only when it is printed
   */
  result(value: unknown, human: () => string): void {
    this.stdout.write(`${this.json ? JSON.stringify(value, plain) : human()}\n`);
  }

  /** A part of a file that the command prints as it is, `--json` or not. */
  raw(text: string): void {
    this.stdout.write(text);
  }

  /** A line for people on the way; with `--json` it stays out of the result's way on standard error. */
  note(text: string): void {
    this.stderr.write(`${text}\n`);
  }

  /** What works but should not stay so. */
  warn(text: string): void {
    this.stderr.write(`warning: ${text}\n`);
  }

  /** Says what went wrong and returns how to exit. An internal error is printed with its stack, to be reported. */
  failure(error: unknown): ExitCode {
    const described = describeError(error);
    if (this.json) this.stderr.write(`${JSON.stringify({ error: described })}\n`);
    else {
      const field = described.pointer === undefined ? '' : ` [${described.pointer}]`;
      this.stderr.write(`error: ${oneLine(described.message)}${field} (${described.code})\n`);
      // The first fault is the message already.
      const told = (problem: unknown): boolean => described.message.includes(messageOf(problem));
      for (const problem of described.problems ?? [])
        if (!told(problem)) this.stderr.write(`  ${oneLine(problemText(problem))}\n`);
      if (!(error instanceof DomainError) && error instanceof Error) this.stderr.write(`${error.stack ?? ''}\n`);
    }
    return exitCodeOf(error);
  }
}

interface DescribedError {
  readonly code: string;
  readonly kind: string;
  readonly message: string;
  readonly pointer?: string;
  /** Faults in the content of a message, with lines. */
  readonly problems?: readonly unknown[];
}

function describeError(error: unknown): DescribedError {
  if (!(error instanceof DomainError)) {
    return { code: 'internal.error', kind: 'internal', message: error instanceof Error ? error.message : String(error) };
  }
  return {
    code: error.code,
    kind: error.kind,
    message: error.message,
    ...(error.pointer !== undefined && { pointer: error.pointer }),
    ...('problems' in error && Array.isArray(error.problems) && { problems: error.problems }),
  };
}

const messageOf = (problem: unknown): string =>
  typeof problem === 'object' && problem !== null && 'message' in problem ? String(problem.message) : String(problem);

/** `subject, line 3: unknown variable "naem"`. */
function problemText(problem: unknown): string {
  if (typeof problem !== 'object' || problem === null || !('message' in problem)) return String(problem);
  const part = 'part' in problem ? String(problem.part) : 'content';
  const line = 'line' in problem && problem.line !== undefined ? `, line ${problem.line}` : '';
  return `${part}${line}: ${problem.message}`;
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Map ? Object.fromEntries(value) : value;
}
