import type { Clock } from '../../src/domain/shared/clock.ts';
import type { ConnectionSettings } from '../../src/infrastructure/postgres/connection.ts';
import { administer } from './administer.ts';

/** A clock that stands still until it is moved; dates and the monotonic time move together. */
export interface HandClock extends Clock {
  pass(milliseconds: number): void;
}

export function aHandClock(start = new Date('2026-11-22T10:00:00Z')): HandClock {
  let passed = 0;
  return {
    now: () => new Date(start.getTime() + passed),
    monotonic: () => passed,
    pass: (milliseconds) => {
      passed += milliseconds;
    },
  };
}

/** A machine's clock that is off by so much: its dates, not how fast time passes. */
export const skewedBy = (milliseconds: number): Clock => ({
  now: () => new Date(Date.now() + milliseconds),
  monotonic: () => performance.now(),
});

/** A database whose clock stands still until it is moved, and a process whose clock moves with it. */
export interface HandTime {
  readonly clock: Clock;
  pass(milliseconds: number): Promise<void>;
}

/** Puts the clock of a database of one's own into the hand, for sessions that begin from now on. */
export async function handTime(connection: ConnectionSettings, clock = aHandClock()): Promise<HandTime> {
  const tell = () => administer(connection, 'update hand.clock set at = $1', [clock.now()]);
  await administer(
    connection,
    `create schema hand;
     create table hand.clock (at timestamptz);
     insert into hand.clock values ('epoch');
     create function hand.clock_timestamp() returns timestamptz language sql volatile as 'select at from hand.clock';
     alter database ${connection.database} set search_path = hand, pg_catalog, "$user", public`,
  );
  await tell();
  return {
    clock,
    async pass(milliseconds) {
      clock.pass(milliseconds);
      await tell();
    },
  };
}
