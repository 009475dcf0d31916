import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkServer, openDatabase } from '../../src/infrastructure/postgres/database.ts';
import { openOrm } from '../../src/infrastructure/postgres/orm.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('looking at the server', () => {
  let warnings: string[];
  beforeEach(() => {
    warnings = [];
  });
  const look = async () => {
    const orm = await openOrm(database.connection);
    return checkServer(orm, { warn: (text) => warnings.push(text) }).finally(() => orm.close());
  };

  it('is content with a server that keeps its promises', async () => {
    expect(await look()).toEqual({ version: expect.stringMatching(/^1[5-8]\./) });
    expect(warnings).toEqual([]);
  });

  it('warns when a commit does not wait for the disk', async () => {
    const client = new pg.Client({ ...database.connection });
    await client.connect();
    await client.query(`alter database ${database.connection.database} set synchronous_commit = off`);
    await look();
    expect(warnings).toEqual([expect.stringContaining('synchronous_commit is off')]);
    await client.query(`alter database ${database.connection.database} reset synchronous_commit`);
    await client.end();
  });

  it('says unavailable when there is none', async () => {
    const orm = await openOrm({ ...database.connection, host: '127.0.0.1', port: 1 });
    await expect(checkServer(orm, { warn: () => undefined })).rejects.toMatchObject({ code: 'database.unavailable' });
    await orm.close();
  });
});

describe("opening a server of one's own", () => {
  const urlOf = (changes: { password?: string; database?: string; port?: number } = {}): string => {
    const { host, port, user, password, database: name } = { ...database.connection, ...changes };
    return `postgresql://${user}:${encodeURIComponent(password)}@/${name}?host=${encodeURIComponent(host)}&port=${port}`;
  };
  const open = (url: string) => openDatabase({ url, dataDir: '/nowhere' });

  it('connects once and describes it without the password', async () => {
    const opened = await open(urlOf());
    expect(opened).toMatchObject({ embedded: false, connection: { database: database.connection.database } });
    expect(opened.describe).toContain(`database "${database.connection.database}" at `);
    await opened.stop();
  });

  it.each([
    ['that has no such database', { database: 'no_such_one' }, /does not exist.*create database "no_such_one"/],
    ['that is not there', { port: 1 }, /does not answer/],
  ])('%s says what to do', async (_name, changes, message) => {
    await expect(open(urlOf(changes))).rejects.toMatchObject({
      code: 'database.unavailable',
      message: expect.stringMatching(message),
    });
  });
});
