import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { defineEntity, type MikroORM, p } from '@mikro-orm/postgresql';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChangedMeanwhile, isTransient } from '../../src/infrastructure/postgres/errors.ts';
import { openOrm } from '../../src/infrastructure/postgres/orm.ts';
import { inTransaction, pooledSql, type Session, withClient } from '../../src/infrastructure/postgres/session.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';

class Note {
  readonly id: number;
  text: string;
  readonly version!: number;
  constructor(id: number, text: string) {
    this.id = id;
    this.text = text;
  }
}
const NoteMapping = defineEntity({
  class: Note,
  tableName: 'note',
  properties: { id: p.integer().primary(), text: p.text(), version: p.integer().version() },
});

let database: TestDatabase;
let orm: MikroORM;

beforeAll(async () => {
  database = await createEmptyDatabase();
  orm = await openOrm(database.connection, { entities: [NoteMapping] });
  await pooledSql(orm).query('create table note (id int primary key, text text not null, version int not null default 1)');
});
beforeEach(() => pooledSql(orm).query('truncate note'));
afterAll(async () => {
  await orm.close();
  await database.drop();
});

const texts = async (): Promise<string[]> =>
  (await pooledSql(orm).query<{ text: string }>('select text from note order by id')).map((row) => row.text);
const insert = (session: Session, id: number, text: string) => session.sql.query('insert into note values ($1, $2)', [id, text]);

describe('a transaction', () => {
  it('keeps what was done through the ORM and through SQL together', async () => {
    await inTransaction(orm, async (session) => {
      session.em.persist(new Note(1, 'by the ORM'));
      await insert(session, 2, 'by SQL');
    });
    expect(await texts()).toEqual(['by the ORM', 'by SQL']);
  });

  it('keeps nothing of both when the work throws, and throws the same', async () => {
    const failure = new Error('changed my mind');
    const done = inTransaction(orm, async (session) => {
      session.em.persist(new Note(1, 'by the ORM'));
      await insert(session, 2, 'by SQL');
      throw failure;
    });
    await expect(done).rejects.toBe(failure);
    expect(await texts()).toEqual([]);
  });

  it('shows SQL what was persisted before it', async () => {
    const seen = await inTransaction(orm, async (session) => {
      session.em.persist(new Note(1, 'fresh'));
      return session.sql.query('select text from note');
    });
    expect(seen).toEqual([{ text: 'fresh' }]);
  });

  it('takes several statements at once', async () => {
    await inTransaction(orm, async (session) => {
      session.em.persist(new Note(9, 'ninth'));
      await Promise.all([1, 2, 3].map((id) => insert(session, id, `number ${id}`)));
    });
    expect(await texts()).toEqual(['number 1', 'number 2', 'number 3', 'ninth']);
  });

  it('inside another one is independent of it', async () => {
    const outer = inTransaction(orm, async (session) => {
      await insert(session, 1, 'outer');
      await inTransaction(orm, (inner) => insert(inner, 2, 'inner'));
      throw new Error('the outer one fails');
    });
    await expect(outer).rejects.toThrow('the outer one fails');
    expect(await texts()).toEqual(['inner']);
  });

  it('is over when it is over', async () => {
    const kept = await inTransaction(orm, async (session) => session);
    await expect(kept.sql.query('select 1')).rejects.toThrow(/session has ended/);
  });

  it('can see one moment only, for a report of several queries', async () => {
    const counts = await inTransaction(
      orm,
      async (session) => {
        const count = async () => (await session.sql.query<{ n: number }>('select count(*)::int as n from note'))[0]!.n;
        const before = await count();
        await pooledSql(orm).query("insert into note values (1, 'meanwhile')");
        return [before, await count()];
      },
      { snapshot: true, readOnly: true },
    );
    expect(counts).toEqual([0, 0]);
  });

  it('that may only read cannot write', async () => {
    const done = inTransaction(orm, (session) => insert(session, 1, 'no'), { readOnly: true });
    await expect(done).rejects.toMatchObject({ code: 'database.unavailable', cause: { code: '25006' } });
  });
});

describe('an error', () => {
  it('is a conflict when somebody else changed the same aggregate', async () => {
    await inTransaction(orm, async (session) => session.em.persist(new Note(1, 'old')));
    const late = inTransaction(orm, async (session) => {
      const note = await session.em.findOneOrFail(NoteMapping, 1);
      await pooledSql(orm).query("update note set text = 'quicker', version = version + 1");
      note.text = 'slower';
    });
    const error: unknown = await late.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ChangedMeanwhile);
    expect(error).toMatchObject({
      code: 'resource.changed_meanwhile',
      kind: 'conflict',
      message: expect.stringContaining('note'),
    });
    expect(await texts()).toEqual(['quicker']);
  });

  it('is unavailable and transient when the connection is terminated', async () => {
    const done = inTransaction(orm, async (session) => {
      await insert(session, 1, 'lost');
      const [me] = await session.sql.query<{ pid: number }>('select pg_backend_pid() as pid');
      await pooledSql(orm).query('select pg_terminate_backend($1)', [me!.pid]);
      await session.sql.query('select 1');
    });
    const error: unknown = await done.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'database.unavailable', kind: 'unavailable' });
    expect(isTransient(error)).toBe(true);
    expect(await texts()).toEqual([]);
  });

  it.each([
    ['no server at the address', { host: '127.0.0.1', port: 1 }],
    ['no socket in the directory', { host: '/tmp/no-such-directory', port: 5432 }],
  ])('is unavailable and transient with %s', async (_name, where) => {
    const nowhere = await openOrm({ ...database.connection, ...where });
    for (const work of [
      () => inTransaction(nowhere, async () => 1),
      () => pooledSql(nowhere).query('select 1'),
      () => withClient(nowhere, async () => 1),
    ]) {
      const error: unknown = await work().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'database.unavailable' });
      expect(isTransient(error)).toBe(true);
    }
    await nowhere.close();
  });

  it('is unavailable and transient when a statement takes too long', async () => {
    const done = inTransaction(orm, async (session) => {
      await session.sql.query("set local statement_timeout = '10ms'");
      await session.sql.query('select pg_sleep(60)');
    });
    const error: unknown = await done.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'database.unavailable' });
    expect(isTransient(error)).toBe(true);
  });

  it('is transient for the loser of a deadlock', async () => {
    await pooledSql(orm).query("insert into note values (1, 'a'), (2, 'b')");
    let arrived = 0;
    const both = Promise.withResolvers<void>();
    const lock = (first: number, second: number) =>
      inTransaction(orm, async (session) => {
        await session.sql.query('update note set version = 2 where id = $1', [first]);
        arrived += 1;
        if (arrived === 2) both.resolve();
        await both.promise;
        await session.sql.query('update note set version = 2 where id = $1', [second]);
      });
    const results = await Promise.allSettled([lock(1, 2), lock(2, 1)]);
    const losers = results.filter((result) => result.status === 'rejected');
    expect(losers).toHaveLength(1);
    expect(losers[0]!.reason).toMatchObject({ code: 'database.unavailable' });
    expect(isTransient(losers[0]!.reason)).toBe(true);
  });

  it('of somebody else’s socket or file is not taken for one of the database', async () => {
    for (const code of ['ECONNREFUSED', 'ENOENT', 'ECONNRESET']) {
      const foreign = Object.assign(new Error('not the database'), { code });
      await expect(
        inTransaction(orm, async () => {
          throw foreign;
        }),
      ).rejects.toBe(foreign);
    }
  });

  it.each([
    ['08006', true],
    ['53300', true],
    ['53100', true],
    ['57P01', true],
    ['57P03', true],
    ['40001', true],
    ['40P01', true],
    ['ECONNREFUSED', true],
    ['57014', true],
    ['23505', false],
    ['42P01', false],
    ['ENOENT', false],
  ])('with the code %s is transient: %s', (code, transient) => {
    expect(isTransient(Object.assign(new Error('x'), { code }))).toBe(transient);
    expect(isTransient(new Error('outer', { cause: Object.assign(new Error('x'), { code }) }))).toBe(transient);
  });
});

describe('a pool', () => {
  it('gets its connections back when they break in a transaction, even all of them', async () => {
    const small = await openOrm(database.connection, { poolSize: 2, applicationName: 'small pool' });
    const killer = new pg.Client({ ...database.connection });
    await killer.connect();
    for (const round of [1, 2, 3]) {
      const done = [1, 2].map((n) =>
        inTransaction(small, (session) => session.sql.query('select $1::int, pg_sleep(60)', [round * n])),
      );
      const refusals = Promise.all(done.map((one) => expect(one).rejects.toMatchObject({ code: 'database.unavailable' })));
      await vi.waitFor(async () => {
        const { rowCount } = await killer.query(
          `select pid from pg_stat_activity where application_name = 'small pool' and query like '%pg_sleep(60)'`,
        );
        expect(rowCount).toBe(2);
      });
      await killer.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'small pool'`);
      await refusals;
    }
    expect(await pooledSql(small).query('select 1 as one')).toEqual([{ one: 1 }]);
    await Promise.all([killer.end(), small.close()]);
  });
});

describe('a lent client', () => {
  it('copies rows in', async () => {
    await withClient(orm, async (client) => {
      await client.query('begin');
      await pipeline(Readable.from(['1\tone\n', '2\ttwo\n']), client.query(copyFrom('copy note (id, text) from stdin')));
      await client.query('commit');
    });
    expect(await texts()).toEqual(['one', 'two']);
  });

  it('has no limit on the time of a statement, and the pool has it again afterwards', async () => {
    const limited = await openOrm(database.connection, { poolSize: 2 });
    const limit = "select current_setting('statement_timeout') as time";
    expect(await pooledSql(limited).query(limit)).toEqual([{ time: '1min' }]);
    expect((await withClient(limited, (client) => client.query(limit))).rows).toEqual([{ time: '0' }]);
    expect(await Promise.all([1, 2].map(() => pooledSql(limited).query(limit)))).toEqual([
      [{ time: '1min' }],
      [{ time: '1min' }],
    ]);
    await limited.close();
  });

  it('is rolled back when the work throws in its middle, or forgets to commit', async () => {
    const failure = new Error('upload broke');
    const begin = async (client: pg.PoolClient) => client.query("begin; insert into note values (1, 'half')");
    await expect(
      withClient(orm, async (client) => {
        await begin(client);
        throw failure;
      }),
    ).rejects.toBe(failure);
    await withClient(orm, begin);
    await vi.waitFor(async () => {
      expect(
        await pooledSql(orm).query(
          "select pid from pg_stat_activity where datname = current_database() and state like 'idle in%'",
        ),
      ).toEqual([]);
    });
    expect(await texts()).toEqual([]);
  });

  it('that loses its connection is unavailable, and the pool goes on', async () => {
    const done = withClient(orm, async (client) => {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      await pooledSql(orm).query('select pg_terminate_backend($1)', [rows[0]!.pid]);
      await client.query('select 1');
    });
    await expect(done).rejects.toMatchObject({ code: 'database.unavailable' });
    expect(await texts()).toEqual([]);
  });
});

describe('values', () => {
  it('come back as Date for a time, as text for a date and for whole numbers of 64 bits', async () => {
    const own = await openOrm(database.connection);
    const text = `select timestamptz '2026-11-22 05:00:00.123Z' as time, date '2026-11-22' as day, count(*) as n, '{"a": 1}'::jsonb as json, '{x,y}'::text[] as list from note`;
    const expected = [
      { time: new Date('2026-11-22T05:00:00.123Z'), day: '2026-11-22', n: '0', json: { a: 1 }, list: ['x', 'y'] },
    ];
    expect(await pooledSql(own).query(text)).toEqual(expected);
    expect(await inTransaction(own, (session) => session.sql.query(text))).toEqual(expected);
    await own.close();
  });
});

it('a pool survives the end of its idle connections', async () => {
  const own = await openOrm(database.connection, { applicationName: 'idle one' });
  await pooledSql(own).query('select 1');
  const client = new pg.Client({ ...database.connection });
  await client.connect();
  await client.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'idle one'");
  await client.end();
  await vi.waitFor(async () => expect(await pooledSql(own).query('select 1 as one')).toEqual([{ one: 1 }]));
  await own.close();
});
