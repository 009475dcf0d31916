import { hostname } from 'node:os';
import type { Sql } from './postgres/sql.ts';
import { isEhloName } from './transports/smtp-url.ts';

/** Names that mean something in one house only. */
const PRIVATE = /\.(?:local|localdomain|localhost|internal|lan|home|test|invalid)$/i;

/**
 * How this instance calls itself to mail servers where the SMTP URL does not say: the host of the public URL, the machine's full name,
 * or the sender domain of the first project. Undefined while it has none of these, or the database is away.
 * @param machine the machine's host name
 */
export async function ehloName(
  publicUrl: string | undefined,
  sql: Sql | undefined,
  machine = hostname(),
): Promise<string | undefined> {
  const known = [URL.parse(publicUrl ?? '')?.hostname, machine].find(isReal);
  if (known !== undefined || sql === undefined) return known;
  try {
    const [project] = await sql.query<{ domain: string }>(
      'select sender_domain as domain from pennypost_access.project order by created_at, id limit 1',
    );
    return isReal(project?.domain) ? project?.domain : undefined;
  } catch {
    // Mail can go out all the same: a connection is not the place to report a database that is away.
    return undefined;
  }
}

const isReal = (name: string | undefined): boolean =>
  name !== undefined && !name.startsWith('[') && isEhloName(name) && !PRIVATE.test(name);
