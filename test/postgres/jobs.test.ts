import { once } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bulkWake, sendMessage } from '../../src/application/delivery/jobs.ts';
import type { JobHandler } from '../../src/application/job.ts';
import { tokens } from '../../src/infrastructure/container.ts';
import { Jobs } from '../../src/infrastructure/jobs/pg-boss.ts';
import { pooledSql } from '../../src/infrastructure/postgres/session.ts';
import { openTestInstance, silentLog, type TestInstance } from '../support/instance.ts';

let instance: TestInstance;
let projectId: string;
beforeAll(async () => {
  instance = await openTestInstance();
  const wish = { name: 'P', senderDomain: 'news.example.com', postalAddress: '1 Road' };
  projectId = (await instance.application.projects.create(wish)).id;
});
afterAll(() => instance.close());

const sql = <Row extends object>(text: string) => pooledSql(instance.get(tokens.orm)).query<Row>(text);

/** A queue at the side of the instance, as another process has it. */
function aQueue(...handlers: JobHandler[]): Jobs {
  return new Jobs({ connection: instance.connection, handlers, log: silentLog, works: true });
}

describe('the queues of an older release', () => {
  it('have every option of this one after a start', async () => {
    const read = () =>
      sql(
        `select name, policy, retry_limit, retry_delay, retry_backoff, expire_seconds, retention_seconds, deletion_seconds, notify
         from pennypost_jobs.queue where name in ('transactional.send', 'bulk.wake') order by name`,
      );
    const wanted = await read();
    expect(wanted).toMatchObject([
      { name: 'bulk.wake', policy: 'short', notify: false },
      { name: 'transactional.send', policy: 'short', notify: false },
    ]);
    await sql(`update pennypost_jobs.queue set retry_limit = 77, retry_delay = 77, retry_backoff = not retry_backoff,
      expire_seconds = 77, retention_seconds = 77, deletion_seconds = 77, notify = true where name = 'transactional.send'`);
    await sql(`update pennypost_jobs.queue set policy = 'standard' where name = 'bulk.wake'`);
    const handle = async (): Promise<void> => undefined;
    const jobs = aQueue({ job: sendMessage, handle }, { job: bulkWake, handle });
    await jobs.start();
    await jobs.stop();
    expect(await read()).toEqual(wanted);
  });
});

describe('a message that is accepted by a process without workers', () => {
  const accept = async (): Promise<void> => {
    const content = { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: 'hello@news.example.com' } } as const;
    await instance.application.messages.send(projectId, { to: 'ada@example.com', content });
  };

  it('is told of by a statement of its own', async () => {
    const listener = new pg.Client({ ...instance.connection });
    await listener.connect();
    await listener.query('listen pennypost_jobs');
    const heard = once(listener, 'notification');
    await accept();
    const [{ payload }] = (await heard) as [pg.Notification];
    await listener.end();
    expect(payload).toBe(sendMessage.name);
  });

  it('is taken by a worker elsewhere', async () => {
    const { promise: taken, resolve } = Promise.withResolvers<object>();
    const jobs = aQueue({ job: sendMessage, handle: async (data) => resolve(data) });
    await jobs.start();
    await jobs.work(['transactional']);
    await accept();
    expect(await taken).toMatchObject({ messageId: expect.any(String) });
    await jobs.stop();
  });
});
