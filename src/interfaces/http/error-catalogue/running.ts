import type { ErrorSection } from './section.ts';

export const RUNNING: ErrorSection = {
  title: 'Processes',
  errors: {
    'transport.not_configured': {
      kind: 'unavailable',
      meaning: 'This process must send mail, but no SMTP server is set and no development inbox runs on this data directory.',
      remedy: 'Set `PENNYPOST_SMTP_URL`, or run `pennypost serve` to use the development inbox.',
    },
    'command.interrupted': {
      kind: 'unavailable',
      meaning:
        'The command was interrupted before it finished. The totals of an interrupted import say how many subscribers it changed.',
      remedy: 'Run it again.',
    },
    'server.cannot_listen': {
      kind: 'unavailable',
      meaning: 'The address cannot be listened on, usually because another process uses it.',
      remedy: 'Choose another port with `--port` or `PENNYPOST_PORT`, or end the other process.',
    },
    'server.starting': {
      kind: 'unavailable',
      meaning: '`serve` is still starting: it opens the database or updates the schema.',
      remedy: 'Try again after `Retry-After`.',
    },
  },
};

export const DATABASE: ErrorSection = {
  title: 'Database',
  errors: {
    'database.unavailable': {
      kind: 'unavailable',
      meaning: 'The database does not answer. Nothing was lost.',
      remedy: 'Try again after `Retry-After`. If it lasts: `pennypost doctor`.',
    },
    'database.restarting': {
      kind: 'unavailable',
      meaning: 'The embedded PostgreSQL has ended, and `serve` is restarting it; the message says why. Nothing was lost.',
      remedy: 'Try again after `Retry-After`. If it lasts: free space on its disk, and read the log.',
    },
    'database.not_found': {
      kind: 'missing',
      meaning:
        'The data directory holds no database, and this command does not create one. It runs in another directory than `serve`, or lacks its settings.',
      remedy:
        'Run it where `serve` runs, or set `PENNYPOST_DATA_DIR` or `PENNYPOST_DATABASE_URL`. `serve` and `project create` create a new instance.',
    },
    'database.foreign_directory': {
      kind: 'unavailable',
      meaning: 'The data directory holds files that pennypost did not create.',
      remedy: 'Set `PENNYPOST_DATA_DIR` to an empty or a new directory.',
    },
    'database.wrong_version': {
      kind: 'unavailable',
      meaning: 'The data directory was created by another major version of PostgreSQL, or the server is older than 15.',
      remedy: 'Dump with the version that created it and restore, or use the previous version of pennypost.',
    },
    'database.no_space': {
      kind: 'unavailable',
      meaning: 'The disk under the data directory is full. Nothing was lost.',
      remedy: 'Free disk space and start again; a new database needs 60 MB.',
    },
    'database.no_embedded': {
      kind: 'unavailable',
      meaning: 'No embedded PostgreSQL is installed for this platform.',
      remedy: 'Install with optional dependencies, or set `PENNYPOST_DATABASE_URL`.',
    },
    'database.directory_unreachable': {
      kind: 'unavailable',
      meaning: 'The user that PostgreSQL runs as cannot reach the data directory or the binaries.',
      remedy: 'Choose a directory outside of /root and on an ordinary file system, or run as an ordinary user.',
    },
    'database.start_failed': {
      kind: 'unavailable',
      meaning: 'The embedded PostgreSQL did not start; the message ends with the last lines of its log.',
      remedy: 'Read these lines; the whole log is `postgres.log` in the data directory.',
    },
    'database.schema_outdated': {
      kind: 'unavailable',
      meaning: 'The database lacks migrations, and this process was told not to apply them.',
      remedy: 'Run `pennypost migrate`.',
    },
    'instance.stopped': {
      kind: 'unavailable',
      meaning: 'A verb was called, or a request arrived, after `stop()`.',
      remedy: 'Create a new instance with `createPennypost`.',
    },
  },
};
