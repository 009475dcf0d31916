import { createPennypost, type Pennypost, type PennypostOptions } from '../../../src/interfaces/npm/index.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { TEST_SECRET, urlOf } from '../../support/instance.ts';

/** What an application that embeds pennypost holds, over a database of its own. */
export interface Host {
  readonly pennypost: Pennypost;
  readonly database: TestDatabase;
  /** Another instance on the same database. */
  another(options?: PennypostOptions): Promise<Pennypost>;
  close(): Promise<void>;
}

export async function openHost(options: PennypostOptions = {}): Promise<Host> {
  const database = await createTestDatabase();
  const opened: Pennypost[] = [];
  const another = async (more: PennypostOptions = {}): Promise<Pennypost> => {
    const pennypost = await createPennypost({
      database: urlOf(database.connection),
      secretKey: TEST_SECRET,
      publicUrl: 'http://127.0.0.1:8025',
      logLevel: 'error',
      ...more,
    });
    opened.push(pennypost);
    return pennypost;
  };
  return {
    pennypost: await another(options),
    database,
    another,
    async close() {
      await Promise.all(opened.map((one) => one.stop()));
      await database.drop();
    },
  };
}
