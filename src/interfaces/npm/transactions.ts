/**
 * An open transaction of the host's, as pennypost takes it: each function fits one library, and knows it by what it can do. None of
 * them is imported, so that a host has only its own.
 */
import type { CallerTransaction } from '../../application/application.ts';

export type { CallerTransaction };

/** A client of `pg` after `begin`; also of whatever has the same `query(text, values)`. */
export function pgTransaction(client: {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly object[] }>;
}): CallerTransaction {
  return { query: async (text, values) => (await client.query(text, [...values])).rows };
}

interface KyselyLike {
  executeQuery(query: {
    readonly sql: string;
    readonly parameters: readonly unknown[];
    readonly query: { readonly kind: 'RawNode'; readonly sqlFragments: readonly string[]; readonly parameters: readonly [] };
    readonly queryId: { readonly queryId: string };
  }): Promise<{ readonly rows: readonly unknown[] }>;
}

/** What `db.transaction().execute(async (trx) => ...)` of Kysely gives. */
export function kyselyTransaction(transaction: KyselyLike): CallerTransaction {
  return {
    query: async (sql, parameters) => {
      const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] } as const;
      const result = await transaction.executeQuery({
        sql,
        parameters: [...parameters],
        query,
        queryId: { queryId: 'pennypost' },
      });
      return result.rows as readonly object[];
    },
  };
}

/** What `em.transactional(async (em) => ...)` of MikroORM 7 gives, for PostgreSQL. What it has to write is flushed by the host. */
export function mikroOrmTransaction(em: { getTransactionContext(): unknown }): CallerTransaction {
  const context = em.getTransactionContext();
  if (typeof Object(context).executeQuery !== 'function')
    throw new TypeError('This EntityManager has no transaction. Use the one that em.transactional() or em.begin() gives.');
  return kyselyTransaction(context as KyselyLike);
}

interface StatementLike {
  getSQL(): StatementLike;
  toQuery(): { readonly sql: string; readonly params: unknown[] };
}

/** What `db.transaction(async (tx) => ...)` of Drizzle gives, with the driver for `pg` or for `postgres`. */
export function drizzleTransaction(transaction: { execute(statement: never): PromiseLike<unknown> }): CallerTransaction {
  return {
    query: async (sql, values) => {
      const params = values.map((value) => (value instanceof Date ? value.toISOString() : value));
      const statement: StatementLike = { getSQL: () => statement, toQuery: () => ({ sql, params }) };
      const result = await (transaction as { execute(statement: StatementLike): PromiseLike<unknown> }).execute(statement);
      return (Array.isArray(result) ? result : (result as { rows: object[] }).rows) as readonly object[];
    },
  };
}
