import { chmod, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Log } from '../../src/application/log.ts';
import { startEmbedded } from '../../src/infrastructure/postgres/embedded.ts';
import { fileFailure } from '../../src/infrastructure/postgres/embedded-directory.ts';
import { findBinaries } from '../../src/infrastructure/postgres/embedded-program.ts';
import { ForeignDirectory, NoEmbeddedDatabase, NoSpace, WrongDatabaseVersion } from '../../src/infrastructure/postgres/errors.ts';
import { openOrm } from '../../src/infrastructure/postgres/orm.ts';
import { pooledSql } from '../../src/infrastructure/postgres/session.ts';
import {
  ask,
  codeOf,
  type EmbeddedProcess,
  ordinaryUser,
  type Parts,
  partsOf,
  postgresIn,
  until,
  Workplace,
} from './embedded-support.ts';

/** A log whose lines are kept. */
function heard(lines: string[]): Log {
  const hear = (_: object, line: string): void => void lines.push(line);
  return { info: hear, warn: hear, error: (facts, line) => hear(facts, `error: ${line}`) };
}

describe('the embedded PostgreSQL', () => {
  const all = new Workplace();
  let place = new Workplace();
  /** A cluster that was started and stopped once, with one row in it. */
  let used: string;

  beforeAll(async () => {
    used = await all.directory();
    const database = await startEmbedded({ dataDir: used, sync: false });
    await ask(database.connection, 'create table kept as select 42 as answer');
    await database.stop();
  });
  afterEach(async () => {
    await place.clear();
    place = new Workplace();
  });
  afterAll(() => all.clear());

  const start = (dataDir: string) => startEmbedded({ dataDir, sync: false });

  it('is made at the first start, in a directory that did not exist', async () => {
    const dataDir = join(await place.directory(), 'deep', 'data');
    const said: string[] = [];
    const database = await startEmbedded({ dataDir, sync: false, log: heard(said) });
    expect(database.role).toBe('supervising');
    const [server] = await ask<{ version: string; checksums: string; addresses: string; fsync: string }>(
      database.connection,
      `select current_setting('server_version') as version, current_setting('data_checksums') as checksums,
         current_setting('listen_addresses') as addresses, current_setting('fsync') as fsync`,
    );
    expect(server).toMatchObject({ version: expect.stringMatching(/^18\./), checksums: 'on', addresses: '', fsync: 'on' });
    await database.stop();
    expect(said).toEqual([`Creating a new database in ${dataDir} (PostgreSQL 18).`]);
    expect((await stat(join(dataDir, 'postgres.password'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir, 'pg-18'))).mode & 0o777).toBe(0o700);
    expect(await postgresIn(dataDir)).toEqual([]);
  });

  it('keeps its data between starts', async () => {
    const database = await start(await place.copyOf(used));
    expect(await ask(database.connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
    await database.stop();
  });

  it('lets nobody in without the password', async () => {
    const database = await start(await place.copyOf(used));
    await expect(ask({ ...database.connection, password: 'guess' }, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    await database.stop();
  });

  it('can be stopped twice', async () => {
    const database = await start(await place.copyOf(used));
    await Promise.all([database.stop(), database.stop()]);
    await database.stop();
  });

  it('puts its socket in /tmp when the path of the data directory is too long for one', async () => {
    const dataDir = join(await place.directory(), 'x'.repeat(100));
    await mkdir(dataDir);
    const database = await start(dataDir);
    expect(database.connection.host).toMatch(/^\/tmp\/pennypost-[0-9a-f]{16}$/);
    expect(await ask(database.connection, 'select 1 as one')).toEqual([{ one: 1 }]);
    await database.stop();
  });

  describe('with several processes', () => {
    it('is supervised by the first and attached to by the next', async () => {
      const dataDir = await place.copyOf(used);
      const first = place.spawn(dataDir);
      expect(await first.outcome()).toMatchObject({ role: 'supervising' });
      const second = await start(dataDir);
      expect(second.role).toBe('attached');
      expect(await ask(second.connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
      await second.stop();
      expect(await ask(second.connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
      await first.stop();
    });

    it('is made once when three start at the same moment on a fresh directory', async () => {
      const dataDir = join(await place.directory(), 'data');
      const outcomes = await Promise.all([1, 2, 3].map(() => place.spawn(dataDir).outcome()));
      expect(outcomes.map((outcome) => outcome.role).sort()).toEqual(['attached', 'attached', 'supervising']);
    });

    it('tells attached processes that it is unavailable when the supervising one ends', async () => {
      const dataDir = await place.copyOf(used);
      const first = place.spawn(dataDir);
      await first.outcome();
      const attached = await start(dataDir);
      const orm = await openOrm(attached.connection);
      await pooledSql(orm).query('select 1');
      await first.stop();
      expect(await codeOf(pooledSql(orm).query('select 1'))).toBe('database.unavailable');
      await orm.close();
    });
  });

  describe('with an heir', () => {
    const killed = (one: EmbeddedProcess) => one.kill();
    const stopped = (one: EmbeddedProcess) => one.stop();

    it.each([
      ['stopped', stopped],
      ['killed', killed],
    ])('is run on by one of several when the supervising process is %s, where the pools find it again', async (_, end) => {
      const dataDir = await place.copyOf(used);
      const first = place.spawn(dataDir);
      await first.outcome();
      const said: string[] = [];
      const heirs = await Promise.all(
        [1, 2].map(() => startEmbedded({ dataDir, sync: false, inherits: true, log: heard(said) })),
      );
      expect(heirs.map(({ role }) => role)).toEqual(['attached', 'attached']);
      const orm = await openOrm(heirs[0]!.connection);
      await pooledSql(orm).query('insert into kept values (43)');
      await end(first);
      await until(() =>
        pooledSql(orm)
          .query('select 1')
          .then(
            () => said.length > 0,
            () => false,
          ),
      );
      expect(await pooledSql(orm).query('select answer from kept order by 1')).toEqual([{ answer: 42 }, { answer: 43 }]);
      expect(said).toEqual(['The process that ran the embedded database has ended. This process runs it now.']);
      await orm.close();
      await Promise.all(heirs.map((heir) => heir.stop()));
      expect(await postgresIn(dataDir)).toEqual([]);
    });

    it('that leaves first takes nothing with it', async () => {
      const dataDir = await place.copyOf(used);
      const first = place.spawn(dataDir);
      await first.outcome();
      const heir = await startEmbedded({ dataDir, sync: false, inherits: true });
      await heir.stop();
      expect(await ask(heir.connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
      await first.stop();
      expect(await postgresIn(dataDir)).toEqual([]);
    });
  });

  describe('after a kill -9', () => {
    it('of the supervising process leaves no postgres, and keeps what was committed', async () => {
      const dataDir = await place.copyOf(used);
      const process = place.spawn(dataDir);
      await process.outcome();
      expect(await postgresIn(dataDir)).not.toEqual([]);
      await process.kill();
      await until(async () => (await postgresIn(dataDir)).length === 0);
      const database = await start(dataDir);
      expect(database.role).toBe('supervising');
      expect(await ask(database.connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
      await database.stop();
    });

    it('of the supervising process can be followed by a start at once', async () => {
      const dataDir = await place.copyOf(used);
      const process = place.spawn(dataDir);
      await process.outcome();
      await process.kill();
      const database = await start(dataDir);
      expect(await ask(database.connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
      await database.stop();
    });

    it.each([
      ['postgres itself', (parts: Parts) => [parts.postmaster]],
      ['the shell that supervises it', (parts: Parts) => [parts.shell]],
      ['the watcher of that shell, and of postgres', (parts: Parts) => [...parts.watchers, parts.postmaster]],
      ['all of these at once', (parts: Parts) => [parts.shell, ...parts.watchers, parts.postmaster]],
    ])('of %s is followed by a start of its own, with what was committed', async (_, victims) => {
      const dataDir = await place.copyOf(used);
      const lines: string[] = [];
      const database = await startEmbedded({ dataDir, log: heard(lines) });
      await ask(database.connection, 'insert into kept values (43)');
      for (const pid of victims(await partsOf(dataDir))) process.kill(pid, 'SIGKILL');
      await until(async () => lines.length === 2);
      expect(lines).toEqual([
        'error: The embedded PostgreSQL ended by itself and is being restarted.',
        'The embedded PostgreSQL runs again.',
      ]);
      expect(database.trouble()).toBeUndefined();
      expect(await ask(database.connection, 'select answer from kept order by 1')).toEqual([{ answer: 42 }, { answer: 43 }]);
      expect(await database.ends()).toMatchObject({ count: 1, lastReason: expect.stringContaining('SIGKILL') });
      await database.stop();
      expect(await postgresIn(dataDir)).toEqual([]);
    });

    it('of postgres, whose cluster is gone as well, makes no empty one in its place', async () => {
      const dataDir = await place.copyOf(used);
      const lines: string[] = [];
      const database = await startEmbedded({ dataDir, sync: false, log: heard(lines) });
      const { postmaster } = await partsOf(dataDir);
      await rename(join(dataDir, 'pg-18'), join(dataDir, 'away'));
      process.kill(postmaster, 'SIGKILL');
      await until(async () => lines.includes('error: The embedded PostgreSQL could not be started again yet.'));
      expect((await readdir(dataDir)).filter((name) => name.startsWith('pg-18'))).toEqual([]);
      await rename(join(dataDir, 'away'), join(dataDir, 'pg-18'));
      await until(async () => lines.includes('The embedded PostgreSQL runs again.'));
      expect(await ask(database.connection, 'select answer from kept')).toEqual([{ answer: 42 }]);
      await database.stop();
    });

    it('of one backend is recovered from by postgres', async () => {
      const dataDir = await place.copyOf(used);
      const lines: string[] = [];
      const database = await startEmbedded({ dataDir, log: heard(lines) });
      const victim = new pg.Client({ ...database.connection });
      victim.on('error', () => undefined);
      await victim.connect();
      const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
      process.kill(rows[0]!.pid, 'SIGKILL');
      await until(() =>
        ask(database.connection, 'select answer from kept').then(
          () => true,
          () => false,
        ),
      );
      expect(lines).toEqual([]);
      await database.stop();
    });

    it('of the watcher alone does not keep the server from being stopped', async () => {
      const dataDir = await place.copyOf(used);
      const database = await startEmbedded({ dataDir });
      for (const pid of (await partsOf(dataDir)).watchers) process.kill(pid, 'SIGKILL');
      await database.stop();
      expect(await postgresIn(dataDir)).toEqual([]);
    });

    it('of everything, with the process id given to somebody else since, starts as well', async () => {
      const dataDir = await place.copyOf(used);
      const cluster = join(dataDir, 'pg-18');
      const left = `${process.pid}\n${cluster}\n1700000000\n5432\n${dataDir}/run\n\n0 0\nready\n`;
      await writeFile(join(cluster, 'postmaster.pid'), left);
      // The socket of the dead server as well, whose lock postgres would believe.
      await mkdir(join(dataDir, 'run'), { recursive: true });
      await writeFile(join(dataDir, 'run', '.s.PGSQL.5432.lock'), left);
      const database = await start(dataDir);
      expect(database.role).toBe('supervising');
      await database.stop();
    });

    it('of a process that held the start lock lets the next one through', async () => {
      const dataDir = await place.copyOf(used);
      await writeFile(join(dataDir, 'start.lock'), `${process.pid} 1\n`);
      const database = await start(dataDir);
      await database.stop();
      expect((await readdir(dataDir)).filter((name) => name.startsWith('start.lock'))).toEqual([]);
    });

    it('in the middle of the first start leaves a directory that the next start makes whole', async () => {
      const dataDir = join(await place.directory(), 'data');
      const process = place.spawn(dataDir);
      await process.next('log');
      await until(async () => (await readdir(dataDir)).some((name) => name.startsWith('pg-18.new-')));
      await process.kill();
      const database = await start(dataDir);
      expect(database.role).toBe('supervising');
      await database.stop();
      expect((await readdir(dataDir)).filter((name) => name.startsWith('pg-18'))).toEqual(['pg-18']);
    });
  });

  describe('refuses', () => {
    it("a directory that holds somebody else's files, and leaves it as it was", async () => {
      const dataDir = await place.directory();
      await writeFile(join(dataDir, 'thesis.txt'), 'precious');
      await expect(start(dataDir)).rejects.toThrow(ForeignDirectory);
      await expect(start(dataDir)).rejects.toThrow(/thesis\.txt/);
      expect(await readdir(dataDir)).toEqual(['thesis.txt']);
    });

    it('a place that takes no directories, at once and with what to do', async () => {
      // Node's own recursive mkdir never came back from there.
      const failure = await start('/proc/pennypost-test/data').catch((error: Error) => error);
      expect(failure).toMatchObject({
        code: 'database.directory_unreachable',
        message: expect.stringContaining('choose another PENNYPOST_DATA_DIR'),
      });
    });

    it('a file where the directory should be', async () => {
      const file = join(await place.directory(), 'file');
      await writeFile(file, '');
      expect(await codeOf(start(file))).toBe('database.foreign_directory');
    });

    it('files under the name of the cluster that are none', async () => {
      const dataDir = await place.copyOf(used);
      await rm(join(dataDir, 'pg-18', 'PG_VERSION'));
      expect(await codeOf(start(dataDir))).toBe('database.foreign_directory');
    });

    it('a cluster of another major version', async () => {
      const dataDir = await place.copyOf(used);
      await writeFile(join(dataDir, 'pg-18', 'PG_VERSION'), '17\n');
      await expect(start(dataDir)).rejects.toThrow(WrongDatabaseVersion);
      await expect(start(dataDir)).rejects.toThrow(/PostgreSQL 17/);
    });

    it('a machine that no package was installed for', async () => {
      await expect(findBinaries('plan9-mips')).rejects.toThrow(NoEmbeddedDatabase);
      expect((await findBinaries()).endsWith('/native/bin')).toBe(true);
    });

    it('a full disk, by its name', () => {
      const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      expect(fileFailure('/data', full)).toBeInstanceOf(NoSpace);
    });

    it('to start with a setting that PostgreSQL does not know, in the words of its log', async () => {
      const dataDir = await place.copyOf(used);
      const start = startEmbedded({ dataDir, settings: ['no_such_setting=1'] });
      await expect(start).rejects.toMatchObject({
        code: 'database.start_failed',
        message: expect.stringContaining('no_such_setting'),
      });
    });

    it('to guess a password that is lost', async () => {
      const dataDir = await place.copyOf(used);
      await rm(join(dataDir, 'postgres.password'));
      await expect(start(dataDir)).rejects.toThrow(/postgres\.password is missing/);
    });
  });

  describe('runs', () => {
    it('for an ordinary user', async () => {
      const user = ordinaryUser();
      const dataDir = await place.directory(user);
      const process = place.spawn(dataDir, user);
      expect(await process.outcome()).toMatchObject({ role: 'supervising' });
      await process.stop();
      expect((await stat(join(dataDir, 'pg-18'))).uid).toBe(user?.uid ?? (await stat(dataDir)).uid);
    });

    it("for root in an ordinary user's directory, who can go on with it later", async () => {
      const user = ordinaryUser();
      const dataDir = await place.directory(user);
      await (await start(dataDir)).stop();
      const process = place.spawn(dataDir, user);
      expect(await process.outcome()).toMatchObject({ role: 'supervising' });
      await process.stop();
    });

    it('for root where nobody else can go, or says what to do', async () => {
      const closed = await place.directory();
      await chmod(closed, 0o700);
      const dataDir = join(closed, 'data');
      const outcome = await start(dataDir).then(
        async (database) => {
          await database.stop();
          return database.role;
        },
        (error: unknown) => error,
      );
      // User namespaces are forbidden in some containers.
      if (outcome !== 'supervising') expect(outcome).toMatchObject({ code: 'database.directory_unreachable' });
    });
  });
});
