import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BulkLane } from '../../../src/application/delivery/bulk/bulk-lane.ts';
import type { LaneActivity } from '../../../src/application/delivery/status/lane-activity.ts';
import { type RecordedProfile, StuckWatch } from '../../../src/application/delivery/status/stuck-watch.ts';
import { LaneStage } from '../../support/lane-stage.ts';
import { testTime } from '../../support/test-time.ts';

const AFTER_MS = 30_000;

/** What a watch has logged and asked for. */
class Heard {
  readonly lines: string[] = [];
  changes = 0;
  profiles = 0;
  /** As when nothing can be written. */
  readOnly = false;

  readonly log = {
    info: (_: object, message: string) => void this.lines.push(message),
    warn: (facts: object, message: string) =>
      void this.lines.push('reason' in facts ? `${message}: ${String(facts.reason)}` : message),
    error: (_: object, message: string) => void this.lines.push(message),
  };

  async recordProfile(): Promise<RecordedProfile> {
    this.profiles += 1;
    if (this.readOnly) throw new Error('the disk only reads');
    return { path: '/profile', summary: 'it waited' };
  }

  watch(stage: Pick<LaneStage, 'time'>, look: () => LaneActivity): StuckWatch {
    const onChange = (): void => {
      this.changes += 1;
    };
    const { clock } = stage.time;
    const watch = new StuckWatch({
      look,
      recordProfile: () => this.recordProfile(),
      onChange,
      clock,
      log: this.log,
      afterMs: AFTER_MS,
    });
    watch.start();
    return watch;
  }
}

describe('a lane that is watched', () => {
  let stage: LaneStage;
  let heard: Heard;
  beforeEach(() => {
    [stage, heard] = [new LaneStage(), new Heard()];
  });
  afterEach(() => stage.close());

  const watched = (lane: BulkLane): StuckWatch => heard.watch(stage, () => lane.activity);

  it('is not stuck while it sends, and not when there is nothing to send', async () => {
    const { lane } = stage.open({ slots: 2, takes: 200 });
    const watch = watched(lane);
    await stage.time.pass(2 * AFTER_MS);
    stage.world.campaign(2_000);
    await stage.time.until('everybody to be recorded', () => stage.world.done(), 600_000);
    await stage.time.pass(2 * AFTER_MS);
    expect([watch.stuck, heard.lines, heard.profiles]).toEqual([undefined, [], 0]);
  });

  it('is not stuck when one message a minute is all that it may send', async () => {
    const { lane } = stage.open({ messagesPerSecond: 1 });
    lane.shareRate(60);
    const watch = watched(lane);
    stage.world.campaign(5);
    await stage.time.until('everybody to be recorded', () => stage.world.done(), 600_000);
    expect([watch.stuck, heard.lines]).toEqual([undefined, []]);
  });

  it('says at what it is stuck when nobody answers, with a profile, and goes on by itself', async () => {
    const { lane } = stage.open({ slots: 2, takes: 50_000 });
    const watch = watched(lane);
    stage.world.campaign(2, { domain: (index) => `d${index}.example` });
    await stage.time.pass(AFTER_MS - 1_000);
    expect(watch.stuck).toBeUndefined();
    await stage.time.pass(2_500);
    const at = '2 messages wait for an answer of the memory transport';
    expect(watch.stuck).toEqual({ at, forMs: expect.any(Number), profile: '/profile' });
    await stage.time.pass(60_000);
    expect(stage.world.done()).toBe(true);
    expect(watch.stuck).toBeUndefined();
    expect(heard.lines).toEqual([
      `this worker is stuck: ${at}`,
      'recorded a CPU profile of the stuck worker',
      'this worker is no longer stuck: it released its work',
    ]);
    expect([heard.changes, heard.profiles]).toEqual([3, 1]);
  });

  it('says so when the database is away, with outcomes in its hands', async () => {
    const { lane } = stage.open({ maxUnrecorded: 50 });
    const watch = watched(lane);
    stage.world.campaign(500);
    await stage.time.until('some to be recorded', () => stage.world.recorded.length > 100);
    stage.world.away = true;
    await stage.time.pass(AFTER_MS + 5_000);
    expect(watch.stuck?.at).toMatch(/^\d+ outcomes wait for the database to commit them \(for 3\d s\)/);
    expect(watch.stuck?.at).toMatch(/1 shards? waits? for the database to renew/);
    stage.world.away = false;
    await stage.time.until('everybody to be recorded', () => stage.world.done());
    // The watch looks once a second, and everybody may be recorded before it does.
    await stage.time.pass(1_500);
    expect(watch.stuck).toBeUndefined();
    expect(heard.lines.at(-1)).toMatch(/^this worker is no longer stuck/);
  });

  it('is stuck without a profile where none can be written', async () => {
    const { lane } = stage.open({ slots: 1, takes: 40_000 });
    heard.readOnly = true;
    const watch = watched(lane);
    stage.world.campaign(1);
    await stage.time.pass(AFTER_MS + 2_000);
    expect(watch.stuck?.profile).toBeUndefined();
    expect(heard.lines.at(-1)).toBe('could not record a CPU profile: Error: the disk only reads');
  });

  it('has not waited while the machine slept', async () => {
    const { lane } = stage.open({ slots: 1, takes: 5_000 });
    const watch = watched(lane);
    stage.world.campaign(1);
    await stage.time.pass(1_000);
    stage.time.jump(600_000);
    await stage.time.pass(2_000);
    expect(watch.stuck).toBeUndefined();
  });
});

describe('a watch', () => {
  it('finds a sender stuck exactly while it has been busy without a change for the whole time', async () => {
    const looks = fc.array(fc.record({ busy: fc.boolean(), moves: fc.boolean(), seconds: fc.integer({ min: 1, max: 45 }) }));
    await fc.assert(
      fc.asyncProperty(looks, async (steps) => {
        const [time, heard] = [testTime(), new Heard()];
        let [busy, mark] = [false, 0];
        const watch = heard.watch({ time }, () => ({ busy, mark: `${mark}`, waits: () => ['something'] }));
        // The second at which something was last seen to move, or nothing to be done.
        let [second, seen, since] = [0, -1, 0];
        for (const step of steps) {
          if (step.moves) mark += 1;
          busy = step.busy;
          for (const end = second + step.seconds; second < end; ) {
            second += 1;
            await time.pass(1_000);
            if (!busy || mark !== seen) [seen, since] = [mark, second];
            expect(watch.stuck !== undefined).toBe((second - since) * 1_000 >= AFTER_MS);
          }
        }
        expect(heard.profiles).toBe(heard.lines.filter((line) => line.startsWith('this worker is stuck')).length);
        watch.stop();
        time.restore();
      }),
      { numRuns: 100 },
    );
  });
});
