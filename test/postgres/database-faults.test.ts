import type { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inBulkTransaction, singleStatements } from '../../src/infrastructure/postgres/bulk-session.ts';
import { withDatabase } from '../../src/infrastructure/postgres/connection.ts';
import { FAULT_RULES, faultOf } from '../../src/infrastructure/postgres/database-faults.ts';
import { DatabaseUnavailable, isTransient } from '../../src/infrastructure/postgres/errors.ts';
import { openOrm } from '../../src/infrastructure/postgres/orm.ts';
import { inTransaction, pooledSql, withClient } from '../../src/infrastructure/postgres/session.ts';
import { administer } from '../support/administer.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const errorOf = (code: string | undefined, message = 'x'): Error =>
  Object.assign(new pg.DatabaseError(message, 0, 'error'), code === undefined ? {} : { code });

describe('an error of the database', () => {
  it.each([
    ['25006', 'cannot execute INSERT in a read-only transaction'],
    ['57014', 'canceling statement due to user request'],
    ['57014', 'canceling statement due to conflict with recovery'],
    ['57P01', 'terminating connection due to administrator command'],
    ['57P02', 'terminating connection because of crash of another server process'],
    ['57P03', 'the database system is in recovery mode'],
    ['57P05', 'terminating connection due to idle-session timeout'],
    ['08000', 'connection exception'],
    ['08006', 'connection failure'],
    ['08P01', 'server conn crashed?'],
    ['08P01', 'query_wait_timeout'],
    ['53100', 'could not extend file: No space left on device'],
    ['53200', 'out of memory'],
    ['53300', 'sorry, too many clients already'],
    ['55006', 'database is being accessed by other users'],
    ['55P03', 'canceling statement due to lock timeout'],
    ['55000', 'recovery is in progress'],
    ['58030', 'could not read block 7 in file: Input/output error'],
    ['58P01', 'could not open file: No such file or directory'],
    ['58000', 'could not connect to the primary'],
    ['XX000', 'could not open relation with OID 16384'],
    ['XX000', 'Tenant or user not found'],
    ['XX001', 'invalid page in block 0'],
    ['28000', 'no pg_hba.conf entry for host'],
    ['28P01', 'password authentication failed for user'],
    ['3D000', 'database does not exist'],
    ['42501', 'permission denied for schema pennypost_delivery'],
    ['0A000', 'cached plan must not change result type'],
    ['26000', 'prepared statement "abc" does not exist'],
    ['42P05', 'prepared statement "abc" already exists'],
    ['25P02', 'current transaction is aborted'],
    ['25P03', 'terminating connection due to idle-in-transaction timeout'],
    ['40001', 'could not serialize access'],
    ['40003', 'statement completion unknown'],
    ['40P01', 'deadlock detected'],
    ['72000', 'snapshot too old'],
    [undefined, 'server closed the connection unexpectedly'],
    [undefined, 'no more connections allowed'],
  ])('means that it cannot be used now: %s %s', (code, message) => {
    expect(isTransient(errorOf(code, message))).toBe(true);
    expect(isTransient(new Error('outer', { cause: errorOf(code, message) }))).toBe(true);
  });

  it.each([
    ['22021', 'invalid byte sequence for encoding "UTF8"'],
    ['22P02', 'invalid input syntax for type uuid'],
    ['22003', 'smallint out of range'],
    ['23505', 'duplicate key value violates unique constraint'],
    ['23503', 'violates foreign key constraint'],
    ['23514', 'violates check constraint'],
    ['25001', 'VACUUM cannot run inside a transaction block'],
    ['42601', 'syntax error'],
    ['42703', 'column does not exist'],
    ['42P01', 'relation does not exist'],
    ['54000', 'index row size exceeds maximum'],
    ['0A000', 'feature not supported'],
    ['08P01', 'bind message supplies 1 parameters, but prepared statement "" requires 2'],
    ['P0001', 'raised by a function'],
  ])('means that the statement is at fault: %s %s', (code, message) => {
    expect(isTransient(errorOf(code, message))).toBe(false);
  });

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'Query read timeout',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'The server does not support SSL connections',
    'SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature does not match',
  ])('without a code means that it cannot be used now: %s', (message) => {
    expect(isTransient(new Error(message))).toBe(true);
  });

  it.each([
    new TypeError('x is not a function'),
    new RangeError('Invalid time value'),
    new Error('a fault of ours'),
    Object.assign(new Error('a file'), { code: 'ENOENT', syscall: 'open' }),
    Object.assign(new Error('a file'), { code: 'EMFILE', syscall: 'open' }),
    Object.assign(new Error('a file'), { code: 'EIO', syscall: 'read' }),
    Object.assign(new Error('a port'), { code: 'EADDRINUSE', syscall: 'listen' }),
    'text',
    undefined,
  ])('has nothing to do with it: %s', (error) => {
    expect(isTransient(error)).toBe(false);
  });

  it.each([
    ['EADDRNOTAVAIL', 'connect'],
    ['EAGAIN', 'connect'],
    ['EMFILE', 'connect'],
    ['ENFILE', 'connect'],
    ['ENOBUFS', 'connect'],
    ['EPERM', 'connect'],
    ['ENOTDIR', 'connect'],
    ['ENODATA', 'getaddrinfo'],
    ['ESERVFAIL', 'queryA'],
    ['ENOTCONN', 'read'],
    ['ERR_STREAM_DESTROYED', undefined],
    ['ERR_STREAM_WRITE_AFTER_END', undefined],
    ['CRL_HAS_EXPIRED', undefined],
    ['INVALID_CA', undefined],
    ['HOSTNAME_MISMATCH', undefined],
  ])('of Node means that it cannot be used now: %s of %s', (code, syscall) => {
    const error = Object.assign(new Error('x'), { code, syscall });
    expect(isTransient(error)).toBe(true);
    expect(isTransient(new AggregateError([new Error('outer', { cause: error })]))).toBe(true);
  });

  it('in another language is told by the function that says it', () => {
    const translated = errorOf('0A000', 'gecachter Plan darf den Ergebnistyp nicht ändern');
    expect(isTransient(translated)).toBe(false);
    expect(faultOf(Object.assign(translated, { routine: 'RevalidateCachedQuery' }))?.spoilsSession).toBe(true);
  });

  it('is decided by one row each, and every row by the error that it was written for', () => {
    for (const rule of FAULT_RULES.slice(0, -1)) {
      const code = ['22021', '40001', '57014', '25006', '0A000', '26000', '08P01', '42501', '25P03'].find((one) =>
        rule.state.test(one),
      );
      const { routine } = rule;
      expect(faultOf(Object.assign(errorOf(code, rule.seen), { routine }))).toBe(rule);
    }
  });

  it('that was translated already is recognised again', () => {
    expect(isTransient(new DatabaseUnavailable('for a test'))).toBe(true);
    expect(isTransient(new Error('outer', { cause: new DatabaseUnavailable('for a test') }))).toBe(true);
  });
});

describe('a database that becomes read-only', () => {
  let database: TestDatabase;
  let orm: MikroORM;
  beforeAll(async () => {
    database = await createTestDatabase();
    await administer(database.connection, 'create table note (id int)');
    orm = await openOrm(database.connection);
  });
  afterAll(async () => {
    await orm.close();
    await database.drop();
  });

  const server = () => withDatabase(database.connection, 'postgres');
  const name = () => database.connection.database;
  const readOnly = async (on: boolean) => {
    await administer(server(), `alter database ${name()} set default_transaction_read_only = ${on}`);
    if (on)
      await administer(
        server(),
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name()}' and pid <> pg_backend_pid()`,
      );
  };

  it.each([
    ['a transaction', () => inTransaction(orm, (session) => session.sql.query('insert into note values (1)'))],
    ['a bulk transaction', () => inBulkTransaction(orm, (session) => session.sql.query('insert into note values ($1)', [1]))],
    ['a single statement', () => singleStatements(orm).sql.query('insert into note values ($1)', [1])],
    ['a pooled statement', () => pooledSql(orm).query('insert into note values (1)')],
    ['a lent client', () => withClient(orm, (client) => client.query('insert into note values (1)'))],
  ])('is unavailable for %s, and used again through a new session once it can be written', async (_what, write) => {
    await readOnly(true);
    // Ten sessions of the read-only time, which stay read-only for as long as they live.
    await Promise.allSettled(Array.from({ length: 10 }, () => pooledSql(orm).query('select pg_sleep(0.01)')));
    const refused: unknown = await write().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'database.unavailable' });
    expect(isTransient(refused)).toBe(true);
    await readOnly(false);
    let written = false;
    // Each session of then is met at most once more.
    for (let session = 0; session <= 10 && !written; session += 1) {
      written = await write().then(
        () => true,
        () => false,
      );
    }
    expect(written).toBe(true);
  });
});
