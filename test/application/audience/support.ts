import { ImportSubscribers } from '../../../src/application/audience/import-subscribers.ts';
import type { Scope } from '../../../src/application/unit-of-work.ts';
import { AudienceService, type ErasureKeys } from '../../../src/domain/audience/index.ts';
import type { Clock } from '../../../src/domain/shared/clock.ts';
import type { Id } from '../../../src/domain/shared/ids.ts';
import { StreamedSubscriberFiles } from '../../../src/infrastructure/files/subscriber-files.ts';
import { PostgresImportLoader } from '../../../src/infrastructure/postgres/audience-import-loader.ts';
import { postgresAudienceStores } from '../../../src/infrastructure/postgres/audience-store.ts';
import { inTransaction, pooledSql } from '../../../src/infrastructure/postgres/session.ts';
import { randomIds, systemClock } from '../../../src/infrastructure/system.ts';
import { openTestOrm } from '../../support/database.ts';

/** A clock that stands until it is moved. */
export class TestClock implements Clock {
  private at: number;
  constructor(at = '2026-03-01T10:00:00Z') {
    this.at = new Date(at).getTime();
  }
  now(): Date {
    return new Date(this.at);
  }
  monotonic(): number {
    return this.at;
  }
  pass(milliseconds: number): void {
    this.at += milliseconds;
  }
}

/** @param erasureKeys asked for every unit of work; default: one key per project */
export async function openAudience(
  erasureKeys: (projectId: Id) => ErasureKeys = (projectId) => [Buffer.from(projectId.replaceAll('-', '').repeat(2), 'hex')],
) {
  const { orm, connection, close } = await openTestOrm();
  const clock = new TestClock();
  const ids = randomIds(systemClock);
  /** One unit of work. */
  const audience = <T>(work: (audience: AudienceService) => Promise<T>): Promise<T> =>
    inTransaction(orm, (session) =>
      work(new AudienceService({ stores: postgresAudienceStores(session), clock, ids, erasureKeys })),
    );
  const run = <T>(work: (scope: Scope) => Promise<T>): Promise<T> => audience((service) => work({ audience: service } as Scope));
  const imports = new ImportSubscribers({
    work: { run, bulk: run, single: run },
    files: new StreamedSubscriberFiles(),
    loader: new PostgresImportLoader(orm),
    clock,
    ids,
    erasureKeys,
  });
  /** People on a list, confirmed; answers their ids by local part. */
  const people = async (projectId: Id, listId: Id, ...names: readonly string[]): Promise<Readonly<Record<string, Id>>> => {
    const found: Record<string, Id> = {};
    for (const name of names) {
      await audience(async (service) => {
        const { subscriber } = await service.subscribers.upsert(projectId, { email: `${name}@example.com` });
        await service.subscriptions.subscribe(projectId, listId, subscriber.id, { consent: { source: 'test' }, confirmed: true });
        found[name] = subscriber.id;
      });
    }
    return found;
  };
  return { orm, connection, close, clock, ids, audience, imports, people, sql: pooledSql(orm) };
}

export type TestAudience = Awaited<ReturnType<typeof openAudience>>;

/** A file in pieces, as a stream would bring it. */
export async function* pieces(content: string | Buffer, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
