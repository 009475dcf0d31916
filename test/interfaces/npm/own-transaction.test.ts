import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MikroORM } from '@mikro-orm/postgresql';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verbsOfProject } from '../../../src/application/application.ts';
import {
  type CallerTransaction,
  drizzleTransaction,
  kyselyTransaction,
  mikroOrmTransaction,
  pgTransaction,
} from '../../../src/interfaces/npm/index.ts';
import { drizzle, sql } from '../../support/drizzle.ts';
import { root } from '../../support/imports.ts';
import { TransactionalStage } from '../../support/transactional-stage.ts';

const stage = new TransactionalStage();
const connection = () => {
  const { host, port, user, password, database } = stage.instance.connection;
  return { host, port, user, password, database };
};
let pool: pg.Pool;
let kysely: Kysely<{ shop_order: { number: number } }>;
let orm: MikroORM;
beforeAll(async () => {
  await stage.open();
  pool = new pg.Pool({ ...connection(), max: 3 });
  kysely = new Kysely({ dialect: new PostgresDialect({ pool }) });
  orm = await MikroORM.init({
    ...connection(),
    dbName: connection().database,
    entities: [],
    discovery: { warnWhenNoEntities: false },
  });
  await stage.sql('create table shop_order (number int primary key)');
});
afterAll(async () => {
  await orm.close();
  await kysely.destroy();
  await stage.close();
});
beforeEach(async () => {
  await stage.fresh();
  await stage.sql('truncate shop_order');
});

type Order = (transaction: CallerTransaction) => Promise<void>;
class NoMoney extends Error {}

async function withPg(adapter: (client: pg.PoolClient) => CallerTransaction, order: Order): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('insert into shop_order values (1)');
    await order(adapter(client));
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

/** Each commits an order together with what `order` does, and nothing when that throws. */
const LIBRARIES: Readonly<Record<string, (order: Order) => Promise<unknown>>> = {
  pg: (order) => withPg(pgTransaction, order),
  Kysely: (order) =>
    kysely.transaction().execute(async (trx) => {
      await trx.insertInto('shop_order').values({ number: 1 }).execute();
      await order(kyselyTransaction(trx));
    }),
  MikroORM: (order) =>
    orm.em.fork().transactional(async (em) => {
      await em.execute('insert into shop_order values (1)');
      await order(mikroOrmTransaction(em));
    }),
  Drizzle: (order) =>
    drizzle(pool).transaction(async (tx) => {
      await tx.execute(sql`insert into shop_order values (${1})`);
      await order(drizzleTransaction(tx));
    }),
};

const receipt = { to: 'ada@example.com', content: TransactionalStage.content, variables: { name: 'Ada' } };
const verbs = () => stage.instance.application.messages;
const orders = () => stage.sql<{ number: number }>('select number from shop_order');

describe.each(Object.entries(LIBRARIES))('a transaction of %s', (_, commit) => {
  it('brings the receipt with the order, and its job', async () => {
    const everything = {
      ...receipt,
      cc: 'bo@example.com',
      tags: ['order'],
      attachments: [{ name: 'a.pdf', type: 'application/pdf', content: 'JVBERg==' }],
      sendAt: new Date(stage.clock.now().getTime() + 60_000),
    };
    let id = '';
    await commit(async (transaction) => {
      ({ id } = await verbs().send(stage.projectId, everything, { transaction }));
      expect(await stage.messages()).toEqual([]);
      await verbs().sendBatch(stage.projectId, [receipt, receipt], { transaction });
    });
    expect(await orders()).toEqual([{ number: 1 }]);
    expect(await stage.messages()).toHaveLength(3);
    expect(await stage.jobs()).toHaveLength(4);
    await stage.instance.pass(120_000);
    expect(await stage.send({ id })).toMatchObject({ state: 'submitted' });
    expect(stage.sent[0]?.text).toContain('filename="a.pdf"');
  });

  it('that is rolled back leaves neither', async () => {
    const failing = commit(async (transaction) => {
      await verbs().send(stage.projectId, receipt, { transaction });
      throw new NoMoney();
    });
    await expect(failing).rejects.toThrow(NoMoney);
    expect([await orders(), await stage.messages(), await stage.jobs()]).toEqual([[], [], []]);
  });

  it('goes on when its message is refused', async () => {
    await verbs().send(stage.projectId, { ...receipt, idempotencyKey: 'k' });
    await commit(async (transaction) => {
      const refused = (given: object) => verbs().send(stage.projectId, { ...receipt, ...given }, { transaction });
      await expect(refused({ to: 'nobody' })).rejects.toMatchObject({ code: 'input.invalid' });
      await expect(refused({ template: 'none', content: undefined })).rejects.toMatchObject({ code: 'resource.not_found' });
      await expect(refused({ to: 'bo@example.com', idempotencyKey: 'k' })).rejects.toMatchObject({
        code: 'message.idempotency_conflict',
      });
      await stage.sql('alter table pennypost_jobs.queue rename to queue_away');
      await expect(refused({})).rejects.toThrow();
      await stage.sql('alter table pennypost_jobs.queue_away rename to queue');
    });
    expect(await orders()).toEqual([{ number: 1 }]);
    expect(await stage.messages()).toHaveLength(1);
  });
});

describe('what is no transaction', () => {
  const send = (transaction: CallerTransaction) => verbs().send(stage.projectId, receipt, { transaction });
  const unusable = { code: 'database.transaction_unusable' };

  it('is refused: a client that has begun none, another database, an object without query', async () => {
    const client = await pool.connect();
    await expect(send(pgTransaction(client)).finally(() => client.release())).rejects.toMatchObject(unusable);
    const elsewhere = new pg.Client({ ...connection(), database: 'postgres' });
    await elsewhere.connect();
    await elsewhere.query('begin');
    await expect(send(pgTransaction(elsewhere)).finally(() => elsewhere.end())).rejects.toMatchObject(unusable);
    await expect(send({} as CallerTransaction)).rejects.toMatchObject({ code: 'input.invalid', pointer: '/transaction' });
    expect(() => mikroOrmTransaction(orm.em.fork())).toThrow('This EntityManager has no transaction.');
    expect(await stage.messages()).toEqual([]);
  });
});

describe('the examples of docs/embed-in-node.md', () => {
  let directory: string;
  let examples: readonly string[];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pennypost-examples-'));
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
    const page = await readFile(join(root, 'docs', 'embed-in-node.md'), 'utf8');
    const npm = join(root, 'src', 'interfaces', 'npm', 'index.ts');
    const standIn = join(root, 'test', 'support', 'drizzle.ts');
    examples = [...page.matchAll(/^```typescript\n(.*?)^```$/gms)].map(([, text = '']) =>
      text.replace("'pennypost'", `'${npm}'`).replaceAll(/'drizzle-orm(?:\/node-postgres)?'/g, `'${standIn}'`),
    );
    for (const [index, text] of examples.entries()) await writeFile(join(directory, `order-${index}.ts`), text);
    await writeFile(
      join(directory, 'pennypost.ts'),
      `import type { Pennypost } from '${npm}';\nexport let pennypost: Pick<Pennypost, 'project'>;\nexport function use(given: Pick<Pennypost, 'project'>): void {\n  pennypost = given;\n}\n`,
    );
    const { compilerOptions } = JSON.parse(await readFile(join(root, 'tsconfig.json'), 'utf8')) as { compilerOptions: object };
    const tsconfig = {
      compilerOptions: { ...compilerOptions, noEmit: true, typeRoots: ['node_modules/@types'] },
      include: ['*.ts'],
    };
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(tsconfig));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('compile', () => {
    const { stdout, status } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', directory], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([0, '']);
  }, 120_000);

  it('send the receipt if and only if the order commits', async () => {
    await stage.instance.application.templates.create(stage.projectId, {
      name: 'Receipt',
      content: { ...TransactionalStage.content, source: 'Order {{ number }}' },
    });
    const { use } = await import(join(directory, 'pennypost.ts'));
    use({ project: () => verbsOfProject(stage.instance.application, async () => stage.projectId) });
    const given = [pool, kysely, orm.em.fork(), drizzle(pool)];
    expect(examples).toHaveLength(given.length);
    for (const [index, library] of given.entries()) {
      const { placeOrder } = await import(join(directory, `order-${index}.ts`));
      await placeOrder(library, index, `p${index}@example.com`);
      // The number is taken, and the message with it: neither is stored.
      await expect(placeOrder(library, index, 'twice@example.com')).rejects.toThrow();
      await expect(placeOrder(library, index + 100, 'no address')).rejects.toMatchObject({ code: 'input.invalid' });
    }
    expect((await orders()).map(({ number }) => number)).toEqual([0, 1, 2, 3]);
    const sent = (await stage.messages()).map(({ recipients }) => recipients[0]?.address);
    expect(sent.toSorted()).toEqual(['p0@example.com', 'p1@example.com', 'p2@example.com', 'p3@example.com']);
  });
});
