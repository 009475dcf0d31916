import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  firstRow,
  followingRow,
  LEDGER_STATES,
  type LedgerRow,
  type LedgerState,
  noTotals,
  outcomeOf,
} from '../../../src/domain/delivery/index.ts';
import { AT, anAttempt, anOutcome, BRISK, idOf } from '../../support/builders-delivery.ts';

const HOUR = 3_600_000;
const later = (milliseconds: number): Date => new Date(AT.getTime() + milliseconds);
const rowIn = (state: LedgerState, run = 0): LedgerRow => firstRow(run, anOutcome(1, state), BRISK, 0);
const follow = (row: LedgerRow, run: number, state: LedgerState, at = later(HOUR)): LedgerRow =>
  followingRow(row, run, anOutcome(1, state, { at }), BRISK, 0);

describe('an attempt as the ledger keeps it', () => {
  it('says nothing more of a plain acceptance than its code', () => {
    const outcome = outcomeOf(idOf(1), anAttempt('submitted'), {
      possibleRepeat: false,
      at: AT,
      domain: 'example.com',
      transport: 'relay',
    });
    expect(outcome).toEqual({
      subscriberId: idOf(1),
      state: 'submitted',
      code: 250,
      reply: undefined,
      possibleRepeat: false,
      at: AT,
      domain: 'example.com',
      transport: 'relay',
    });
  });

  it.each(['deferred', 'rejected', 'in_doubt'] as const)('keeps the words of a message that is %s', (outcome) => {
    expect(outcomeOf(idOf(1), anAttempt(outcome, { reply: 'not now' }), { possibleRepeat: true, at: AT })).toMatchObject({
      state: outcome,
      reply: 'not now',
      possibleRepeat: true,
    });
  });
});

describe('the first row of a recipient', () => {
  it.each([
    ['submitted', 1, 1],
    ['deferred', 0, 1],
    ['rejected', 0, 1],
    ['in_doubt', 0, 1],
    ['failed', 0, 0],
    ['skipped', 0, 0],
  ] as const)('%s: %i copies, %i attempts', (state, copies, attempts) => {
    expect(rowIn(state)).toMatchObject({ state, copies, attempts, firstAttemptAt: AT, at: AT });
  });

  it('names the transport of the latest attempt', () => {
    const first = firstRow(0, anOutcome(1, 'deferred', { transport: 'main' }), BRISK, 0);
    expect(first.transport).toBe('main');
    // Held back by ourselves: no transport was asked.
    const held = followingRow(
      first,
      1,
      anOutcome(1, 'deferred', { attempted: false, transport: undefined, at: later(HOUR) }),
      BRISK,
      0,
    );
    expect(held.transport).toBe('main');
    const sent = followingRow(held, 2, anOutcome(1, 'submitted', { transport: 'other', at: later(2 * HOUR) }), BRISK, 0);
    expect(sent.transport).toBe('other');
  });

  it('says when a deferred message is tried again, and of no other', () => {
    for (const state of LEDGER_STATES)
      expect(rowIn(state).nextAttemptAt).toEqual(state === 'deferred' ? later(BRISK.firstDelayMs / 2) : undefined);
  });
});

describe('a further outcome', () => {
  const others = LEDGER_STATES.filter((state) => state !== 'submitted');

  it.each(LEDGER_STATES)('never takes an acceptance back (%s, in any run)', (state) => {
    for (const run of [0, 1, 2]) expect(follow(rowIn('submitted', 1), run, state)).toMatchObject({ state: 'submitted', at: AT });
  });

  it.each(others)('of a later run replaces %s', (state) => {
    for (const next of ['submitted', 'rejected', 'skipped', 'in_doubt'] as const)
      expect(follow(rowIn(state), 1, next)).toMatchObject({ state: next, run: 1, at: later(HOUR) });
  });

  it.each(others)('of the same or an older run that says accepted wins over %s', (state) => {
    for (const run of [1, 0])
      expect(follow(rowIn(state, 1), run, 'submitted')).toMatchObject({ state: 'submitted', copies: 1, run: 1 });
  });

  it.each(others.filter((state) => state !== 'in_doubt'))(
    'of the same or an older run that is in doubt wins over %s: a retry could repeat it',
    (state) => {
      for (const run of [1, 0])
        expect(follow(rowIn(state, 1), run, 'in_doubt')).toMatchObject({ state: 'in_doubt', nextAttemptAt: undefined, run: 1 });
    },
  );

  it('of the same or an older run that is no surer changes neither state nor words', () => {
    for (const state of others)
      for (const next of ['deferred', 'rejected', 'skipped', 'failed'] as const)
        for (const run of [1, 0]) {
          const row = rowIn(state, 1);
          const { state: kept, at, reply, nextAttemptAt } = follow(row, run, next);
          expect({ kept, at, reply, nextAttemptAt }).toEqual({
            kept: state,
            at: row.at,
            reply: row.reply,
            nextAttemptAt: row.nextAttemptAt,
          });
        }
  });

  it('counts every acceptance as a copy, and marks more than one', () => {
    const twice = follow(rowIn('submitted'), 0, 'submitted');
    expect(twice).toMatchObject({ copies: 2, possibleRepeat: true, attempts: 2 });
    expect(follow(rowIn('deferred'), 1, 'submitted')).toMatchObject({ copies: 1, possibleRepeat: false });
  });

  it('counts attempts where a transport was asked, and only there', () => {
    const attempts = LEDGER_STATES.map((state) => [state, follow(rowIn('deferred'), 1, state).attempts]);
    expect(Object.fromEntries(attempts)).toEqual({
      submitted: 2,
      deferred: 2,
      rejected: 2,
      in_doubt: 2,
      expired: 2,
      failed: 1,
      skipped: 1,
      cancelled: 1,
    });
  });

  it('counts no attempt where we deferred it ourselves, and lets it wait no longer for that', () => {
    const held = anOutcome(1, 'deferred', { attempted: false, at: later(HOUR) });
    const fresh = firstRow(0, { ...held, at: AT }, BRISK, 0);
    expect([fresh.attempts, fresh.nextAttemptAt]).toEqual([0, rowIn('deferred').nextAttemptAt]);
    const again = followingRow(fresh, 1, held, BRISK, 0);
    expect(again).toMatchObject({ state: 'deferred', attempts: 0, nextAttemptAt: later(HOUR + BRISK.firstDelayMs / 2) });
    const tried = follow(again, 2, 'deferred', later(2 * HOUR));
    expect(followingRow(tried, 3, { ...held, at: later(3 * HOUR) }, BRISK, 0).attempts).toBe(1);
    const late = followingRow(tried, 3, { ...held, at: later(BRISK.lifetimeMs) }, BRISK, 0);
    expect(late.state).toBe('expired');
  });

  it('is due at once where only our own end of sending stood against it', () => {
    const left = anOutcome(1, 'deferred', { attempted: false, dueAtOnce: true });
    const fresh = firstRow(0, left, BRISK, 0.5);
    expect([fresh.attempts, fresh.nextAttemptAt]).toEqual([0, AT]);
    const again = followingRow(fresh, 1, { ...left, at: later(HOUR) }, BRISK, 0.5);
    expect([again.attempts, again.nextAttemptAt]).toEqual([0, later(HOUR)]);
  });

  it('keeps the mark of a possible repeat', () => {
    const marked = firstRow(0, anOutcome(1, 'deferred', { possibleRepeat: true }), BRISK, 0);
    expect(follow(marked, 1, 'submitted').possibleRepeat).toBe(true);
  });

  it('remembers the first attempt', () => {
    expect(follow(rowIn('deferred'), 1, 'rejected').firstAttemptAt).toEqual(AT);
  });
});

describe('a message that is deferred again and again', () => {
  it('is tried again until 72 hours after its first attempt, then expires', () => {
    const row = rowIn('deferred');
    expect(follow(row, 1, 'deferred', later(72 * HOUR - 1))).toMatchObject({ state: 'deferred' });
    expect(follow(row, 1, 'deferred', later(72 * HOUR))).toMatchObject({
      state: 'expired',
      nextAttemptAt: undefined,
      reply: 'because it is deferred',
    });
  });

  it('is not expired by anything but a deferral', () => {
    expect(follow(rowIn('deferred'), 1, 'submitted', later(100 * HOUR)).state).toBe('submitted');
    expect(follow(rowIn('deferred'), 1, 'rejected', later(100 * HOUR)).state).toBe('rejected');
  });

  it('waits longer each time', () => {
    const second = follow(rowIn('deferred'), 1, 'deferred', later(HOUR));
    expect(second.nextAttemptAt).toEqual(new Date(later(HOUR).getTime() + BRISK.firstDelayMs));
  });
});

describe('totals kept by differences', () => {
  it('equal a recount of the rows, whatever outcomes come in whatever order and run', () => {
    const heard = fc.record({
      person: fc.nat(5),
      run: fc.nat(3),
      state: fc.constantFrom(...LEDGER_STATES),
      hours: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(heard, { maxLength: 60 }), (outcomes) => {
        const rows = new Map<number, LedgerRow>();
        const totals = noTotals();
        const acceptances = new Map<number, number>();
        for (const { person, run, state, hours } of outcomes) {
          const outcome = anOutcome(person, state, { at: later(hours * HOUR) });
          const row = rows.get(person);
          const next = row === undefined ? firstRow(run, outcome, BRISK, 0.5) : followingRow(row, run, outcome, BRISK, 0.5);
          if (row !== undefined) totals[row.state] -= 1;
          totals[next.state] += 1;
          rows.set(person, next);
          if (state === 'submitted') acceptances.set(person, (acceptances.get(person) ?? 0) + 1);
        }
        const recount = noTotals();
        for (const row of rows.values()) recount[row.state] += 1;
        expect(totals).toEqual(recount);
        for (const [person, row] of rows) {
          const copies = acceptances.get(person) ?? 0;
          expect(row.copies).toBe(copies);
          // Accepted once, submitted for good; and submitted only if accepted.
          expect(row.state === 'submitted').toBe(copies > 0);
          expect(row.nextAttemptAt !== undefined).toBe(row.state === 'deferred');
          if (copies > 1) expect(row.possibleRepeat).toBe(true);
        }
      }),
    );
  });
});
