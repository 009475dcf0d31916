import { describe, expect, it } from 'vitest';
import { Progress } from '../../../src/interfaces/cli/progress.ts';
import { textWidth } from '../../../src/interfaces/cli/text.ts';
import { WholeLines } from '../../../src/interfaces/cli/whole-lines.ts';
import { HeldClock, RecordedStream } from './terminal.ts';

function started({ columns, total }: { columns?: number; total?: number }) {
  const [clock, stream] = [new HeldClock(), new RecordedStream(columns === undefined ? {} : { columns })];
  const progress = new Progress({ stream, clock, label: 'campaign', ...(total !== undefined && { total }) });
  const step = (milliseconds: number, done: number, note?: string): void => {
    clock.advance(milliseconds);
    progress.update(done, note === undefined ? {} : { note });
  };
  return { clock, stream, progress, step };
}

describe('progress on a terminal', () => {
  it('draws a bar with share, count, rate and time left, over the one before', () => {
    const { stream, step } = started({ columns: 120, total: 2_000 });
    step(0, 0);
    step(1_000, 500);
    expect(stream.lines).toEqual([]);
    expect(stream.current).toBe('campaign  ██████░░░░░░░░░░░░░░░░░░  25 %  500 of 2,000  500/s  3.0 s left');
  });

  it('leaves room for a line above the bar', () => {
    const { stream, progress, step } = started({ columns: 120, total: 2_000 });
    step(0, 0);
    progress.say('the relay is away');
    step(1, 500);
    expect(stream.lines).toEqual(['the relay is away']);
    expect(stream.current).toContain('500 of 2,000');
  });

  it('draws at most ten times a second', () => {
    const { stream, step } = started({ columns: 120, total: 100 });
    for (let done = 1; done <= 100; done += 1) step(10, done);
    expect(stream.written.split('\r').length - 1).toBeLessThanOrEqual(10);
  });

  it('takes the rate from the last ten seconds', () => {
    const { progress, step } = started({ columns: 120, total: 100_000 });
    for (let second = 1; second <= 20; second += 1) step(1_000, second * 1_000);
    for (let second = 1; second <= 10; second += 1) step(1_000, 20_000);
    expect(progress.rate).toBe(0);
  });

  it('does not promise a time when nothing moves', () => {
    const { stream, step } = started({ columns: 120, total: 100 });
    step(0, 0);
    step(1_000, 0);
    expect(stream.current).toContain('time left unknown');
  });

  it('never says 100 % before everything is done', () => {
    const { stream, step } = started({ columns: 120, total: 100_000 });
    step(1_000, 99_999);
    expect(stream.current).toContain(' 99 %');
  });

  it('fits a small window', () => {
    const { stream, step } = started({ columns: 40, total: 2_000 });
    step(1_000, 500, '🎉'.repeat(30));
    expect(textWidth(stream.current)).toBeLessThan(40);
  });

  it('leaves one line standing', () => {
    const { stream, progress, step } = started({ columns: 120, total: 2_000 });
    step(1_000, 1_000, '3 deferred');
    step(1_000, 2_000);
    progress.finish();
    progress.finish();
    progress.update(2_001);
    expect(stream.lines.map((line) => line.split('\u001b[2K').at(-1))).toEqual([
      'campaign: 2,000 of 2,000 in 2.0 s, 1,000/s  3 deferred',
    ]);
    expect(stream.current).toBe('');
  });
});

describe('progress in a log', () => {
  it('is a plain line every five seconds', () => {
    const { stream, progress, step } = started({ total: 2_000 });
    for (let second = 1; second <= 12; second += 1) step(1_000, second * 100);
    progress.finish();
    expect(stream.lines).toEqual([
      'campaign after 5.0 s: 500 of 2,000, 100/s, 15 s left',
      'campaign after 10 s: 1,000 of 2,000, 100/s, 10 s left',
      'campaign: 1,200 of 2,000 in 12 s, 100/s',
    ]);
    expect(stream.written).not.toContain('\u001b');
  });

  it('without a total has neither share nor time left', () => {
    const { stream, step } = started({});
    step(5_000, 50);
    expect(stream.lines).toEqual(['campaign after 5.0 s: 50, 10/s']);
  });

  it('takes the total when it is known', () => {
    const { stream, clock, progress } = started({});
    clock.advance(5_000);
    progress.update(50, { total: 100 });
    expect(stream.lines[0]).toContain('50 of 100');
  });

  it('of nothing to do ends well', () => {
    const { stream, progress } = started({ total: 0 });
    progress.finish();
    expect(stream.lines).toEqual(['campaign: 0 of 0 in 0.0 s']);
  });
});

describe('what others write while a bar is drawn', () => {
  it.each(['warning: the relay is away\n', 'No worker is running.\n'])(
    '%j has a line of its own, and the bar goes on below',
    (said) => {
      const [clock, stream] = [new HeldClock(), new RecordedStream({ columns: 120 })];
      const shared = new WholeLines(stream);
      const progress = new Progress({ stream: shared, clock, label: 'import' });
      progress.update(1);
      shared.write(said);
      expect(stream.lines).toEqual([said.trim()]);
      clock.advance(1_000);
      progress.update(500);
      expect(stream.current).toContain('import  500');
      shared.end();
      shared.end();
      expect(stream.lines).toHaveLength(2);
    },
  );

  it('is passed on as it is in a log', () => {
    const stream = new RecordedStream();
    const shared = new WholeLines(stream);
    shared.write('a');
    shared.write('b\n');
    expect(stream.written).toBe('ab\n');
  });
});
