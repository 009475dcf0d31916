import { describe, expect, it } from 'vitest';
import { DomainError, type ErrorKind, InvalidInput, NotFound } from '../../../src/domain/shared/errors.ts';
import { EXIT, exitCodeOf } from '../../../src/interfaces/cli/exit-codes.ts';
import { Output } from '../../../src/interfaces/cli/output.ts';
import { RecordedStream } from './terminal.ts';

function streams(json: boolean) {
  const [stdout, stderr] = [new RecordedStream(), new RecordedStream()];
  return { stdout, stderr, output: new Output({ json, stdout, stderr }) };
}

class Sample extends DomainError {
  readonly code = 'sample.error';
  readonly kind: ErrorKind;
  constructor(kind: ErrorKind) {
    super('Sample.');
    this.kind = kind;
  }
}

describe('a result', () => {
  it('is text for people', () => {
    const { output, stdout } = streams(false);
    output.result({ id: 1 }, () => 'made it');
    expect(stdout.written).toBe('made it\n');
  });

  it('is one line of JSON for programs, and the text is not even made', () => {
    const { output, stdout } = streams(true);
    const value = { at: new Date(0), big: 12n, totals: new Map([['submitted', 2]]), text: 'a\nb' };
    output.result(value, () => {
      throw new Error('must not be called');
    });
    expect(stdout.lines).toHaveLength(1);
    expect(JSON.parse(stdout.written)).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      big: '12',
      totals: { submitted: 2 },
      text: 'a\nb',
    });
  });

  it.each([true, false])('is all that standard output gets (json: %s)', (json) => {
    const { output, stdout, stderr } = streams(json);
    output.note('working');
    output.warn('fsync is off');
    output.failure(new NotFound('campaign', 'x'));
    expect(stdout.written).toBe('');
    expect(stderr.lines.slice(0, 2)).toEqual(['working', 'warning: fsync is off']);
  });

  it('is cut to the terminal only when there is one', () => {
    const stdout = new RecordedStream({ columns: 100 });
    expect(new Output({ json: false, stdout, stderr: stdout }).display.width).toBe(100);
    expect(streams(false).output.display.width).toBeUndefined();
  });
});

describe('a failure', () => {
  it('says message, field and code', () => {
    const { output, stderr } = streams(false);
    expect(output.failure(new InvalidInput('The slug is empty.', '/slug'))).toBe(EXIT.usage);
    expect(stderr.written).toBe('error: The slug is empty. [/slug] (input.invalid)\n');
  });

  it('lists the problems of content with their lines', () => {
    const { output, stderr } = streams(false);
    const problems = [{ severity: 'error', part: 'subject', line: 3, message: 'unknown variable "naem"' }];
    output.failure(Object.assign(new InvalidInput('The content cannot be sent.'), { problems }));
    expect(stderr.lines[1]).toBe('  subject, line 3: unknown variable "naem"');
  });

  it('is an object for programs', () => {
    const { output, stderr } = streams(true);
    output.failure(new InvalidInput('The slug is empty.', '/slug'));
    expect(JSON.parse(stderr.written)).toEqual({
      error: { code: 'input.invalid', kind: 'invalid', message: 'The slug is empty.', pointer: '/slug' },
    });
  });

  it('of ours shows its stack, to be reported', () => {
    const { output, stderr } = streams(false);
    expect(output.failure(new TypeError('x is undefined'))).toBe(EXIT.failed);
    expect(stderr.written).toContain('output.test.ts');
  });

  it('cannot steer the terminal', () => {
    const { output, stderr } = streams(false);
    output.failure(new InvalidInput('"\u001b[2J\n" is not an address.'));
    expect(stderr.written).toBe('error: " " is not an address. (input.invalid)\n');
  });
});

describe('the exit code', () => {
  it.each([
    ['invalid', 2],
    ['missing', 3],
    ['conflict', 4],
    ['unavailable', 5],
    ['limited', 5],
    ['unauthenticated', 6],
    ['forbidden', 6],
  ] as const)('of an error that is %s is %i', (kind, code) => expect(exitCodeOf(new Sample(kind))).toBe(code));

  it.each([new Error('x'), 'x', undefined])('of anything else is 1', (error) => expect(exitCodeOf(error)).toBe(1));
});
