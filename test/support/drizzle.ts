import type pg from 'pg';

/** What Drizzle 0.45 does with a statement: it asks for its text and values, and hands both to the driver. No package of ours needs it. */
interface Statement {
  getSQL(): { toQuery(config: object): { sql: string; params: unknown[] } };
}

interface Runs {
  execute(statement: Statement): Promise<pg.QueryResult>;
}

export interface NodePgDatabase {
  transaction<T>(work: (tx: Runs) => Promise<T>): Promise<T>;
}

export function sql(texts: TemplateStringsArray, ...params: unknown[]): Statement {
  const text = texts.reduce((before, part, index) => `${before}$${index}${part}`);
  return { getSQL: () => ({ toQuery: () => ({ sql: text, params }) }) };
}

export function drizzle(pool: pg.Pool): NodePgDatabase {
  return {
    transaction: async (work) => {
      const client = await pool.connect();
      const execute = (statement: Statement) => {
        const query = statement.getSQL().toQuery({});
        return client.query(query.sql, query.params);
      };
      try {
        await client.query('begin');
        const result = await work({ execute });
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    },
  };
}
