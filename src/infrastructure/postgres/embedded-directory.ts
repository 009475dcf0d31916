import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readdir, readFile, realpath, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Program } from './embedded-program.ts';
import { DatabaseNotFound, DirectoryUnreachable, ForeignDirectory, NoSpace, WrongDatabaseVersion } from './errors.ts';

/** The major version of the embedded PostgreSQL; it stands in the cluster's name, so that a later one lies beside it. */
export const MAJOR = '18';

const MARK = 'pennypost.json';
/** `sun_path` of a Unix socket holds 107 bytes and a NUL on Linux, 103 on macOS. */
const SOCKET_PATH_LIMIT = 103;

/** Where things lie in a data directory. */
export interface Layout {
  readonly root: string;
  readonly cluster: string;
  readonly passwordFile: string;
  readonly logFile: string;
  readonly lockFile: string;
  /** Names the process that postgres lives as long as, and what befell it; see embedded-note.ts. */
  readonly supervisorFile: string;
  /** Directory of the Unix socket: `<root>/run`, or one in /tmp when that path is too long. */
  readonly sockets: string;
  /** Binaries, copied when they cannot be reached where they are installed. */
  readonly binaries: string;
}

/**
 * Marks `directory` as pennypost's, or finds the mark. Whatever writes into the data directory calls this first.
 * @returns the real path of the directory
 * @throws ForeignDirectory when it holds files and no mark; NoSpace; DirectoryUnreachable
 */
export async function claimDataDirectory(directory: string): Promise<string> {
  const path = resolve(directory);
  try {
    // 0711: the user that PostgreSQL runs as passes through to its own directory, and sees nothing else.
    if (await makePath(path)) await chmod(path, 0o711);
    const root = await realpath(path);
    const found = await readdir(root);
    if (found.includes(MARK)) return root;
    const foreign = found.filter((name) => !name.startsWith(`${MARK}.`) && name !== 'lost+found');
    if (foreign.length > 0)
      throw new ForeignDirectory(root, foreign.slice(0, 3).join(', ') + (foreign.length > 3 ? ' and more' : ''));
    // Written beside and renamed, so that a mark is never half a mark.
    const beside = join(root, `${MARK}.${process.pid}-${randomBytes(4).toString('hex')}`);
    await writeFile(beside, `${JSON.stringify({ what: 'data directory of pennypost', layout: 1 })}\n`, { mode: 0o644 });
    await rename(beside, join(root, MARK));
    return root;
  } catch (error) {
    throw fileFailure(path, error);
  }
}

/**
 * The directory and those above it. Not by Node's `recursive`, which goes round in circles for ever where the one above exists and
 * takes no directories (/proc).
 * @returns false when it was there
 */
async function makePath(path: string): Promise<boolean> {
  const made = await makeOne(path).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return undefined;
  });
  if (made !== undefined) return made;
  await makePath(dirname(path));
  return makeOne(path);
}

async function makeOne(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    // Maybe by another process, just now.
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Looks for an instance without making anything.
 * @throws DatabaseNotFound when the directory has no mark or does not exist; it names one that is near
 */
export async function requireDataDirectory(directory: string): Promise<void> {
  const path = resolve(directory);
  if (!(await isOurs(path))) throw new DatabaseNotFound(path, await nearbyDatabase(path));
}

/** The usual directory inside of the one that was named, and beside or above it. */
export async function nearbyDatabase(path: string): Promise<string | undefined> {
  const name = '.pennypost';
  const places = [join(path, name)];
  for (let above = dirname(path); ; above = dirname(above)) {
    places.push(join(above, name));
    if (dirname(above) === above) break;
  }
  for (const place of places) if (place !== path && (await isOurs(place))) return place;
  return undefined;
}

async function isOurs(path: string): Promise<boolean> {
  const found = await readFile(join(path, MARK), 'utf8').catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error) ?? '')) return undefined;
    throw fileFailure(path, error);
  });
  return found !== undefined;
}

export function layoutOf(root: string): Layout {
  const inside = join(root, 'run');
  const short = Buffer.byteLength(join(inside, '.s.PGSQL.65535.lock')) <= SOCKET_PATH_LIMIT;
  return {
    root,
    cluster: join(root, `pg-${MAJOR}`),
    passwordFile: join(root, 'postgres.password'),
    logFile: join(root, 'postgres.log'),
    lockFile: join(root, 'start.lock'),
    supervisorFile: join(root, 'postgres.supervisor'),
    sockets: short ? inside : join('/tmp', `pennypost-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`),
    binaries: join(root, `pg-${MAJOR}-programs`),
  };
}

/**
 * What the cluster's directory holds: a finished cluster, or nothing yet. An interrupted `initdb` leaves nothing, because it
 * works in a sibling that gets this name at its end.
 * @throws WrongDatabaseVersion | ForeignDirectory
 */
export async function hasCluster(layout: Layout): Promise<boolean> {
  const version = await readIfThere(join(layout.cluster, 'PG_VERSION'));
  if (version !== undefined) {
    if (version.trim() === MAJOR) return true;
    throw new WrongDatabaseVersion(
      `${layout.cluster} was written by PostgreSQL ${version.trim()} and this pennypost embeds ${MAJOR}. Start the version that wrote it, dump, and restore into an empty PENNYPOST_DATA_DIR.`,
    );
  }
  const found = await readdir(layout.cluster).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw fileFailure(layout.cluster, error);
  });
  if (found === undefined || found.length === 0) return false;
  throw new ForeignDirectory(layout.cluster, `${found.slice(0, 3).join(', ')}, and no PG_VERSION`);
}

/** The password of the embedded database, 0600; made at the first start. */
export async function readPassword(layout: Layout): Promise<string | undefined> {
  return (await readIfThere(layout.passwordFile))?.trim();
}

export async function makePassword(layout: Layout, program: Program): Promise<string> {
  const password = randomBytes(24).toString('base64url');
  await writeSecret(layout.passwordFile, `${password}\n`, program);
  return password;
}

/** A file of 0600 that belongs to the user that PostgreSQL runs as. */
async function writeSecret(path: string, text: string, program: Program): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  await give(path, program);
}

/** An empty directory of 0700 that belongs to the user that PostgreSQL runs as. */
export async function makeDirectory(path: string, program: Program): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await give(path, program);
}

/** @throws DirectoryUnreachable when another user owns the directory under the shared temporary directory. */
export async function makeSocketDirectory(layout: Layout, program: Program): Promise<void> {
  await mkdir(layout.sockets, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
  const found = await lstat(layout.sockets);
  const ours = [0, process.getuid?.(), program.owner?.uid].includes(found.uid);
  if (!found.isDirectory() || !ours)
    throw new DirectoryUnreachable(`${layout.sockets}, the directory for the socket of the database, belongs to another user.`);
  await chmod(layout.sockets, 0o700);
  await give(layout.sockets, program);
}

/** Leaves nothing in /tmp. */
export async function removeSocketDirectory(layout: Layout): Promise<void> {
  await rmdir(layout.sockets).catch((error: unknown) => {
    // Stopped twice, or another process has started meanwhile.
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTEMPTY') throw error;
  });
}

/** Removes what interrupted first starts left, whose `initdb` may still be at work for a moment. Only under the start lock. */
export async function sweep(layout: Layout): Promise<void> {
  for (const name of await readdir(layout.root)) {
    if (name.startsWith(`pg-${MAJOR}.new-`)) await rm(join(layout.root, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Turns what the file system says into an error that says what to do. */
export function fileFailure(path: string, error: unknown): unknown {
  const code = codeOf(error);
  // 53100 is PostgreSQL's word for it.
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === '53100') return new NoSpace(path, error);
  // ENOENT: what Node says when it may not make a directory on a file system that only reads.
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOENT') {
    return new DirectoryUnreachable(
      `${path} cannot be made or used by this user (${code}). Change its owner, or choose another PENNYPOST_DATA_DIR.`,
    );
  }
  if (code === 'ENOTDIR' || code === 'EEXIST') return new ForeignDirectory(path, 'a file where a directory should be');
  return error;
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw fileFailure(path, error);
  }
}

async function give(path: string, program: Program): Promise<void> {
  if (program.owner !== undefined) await chown(path, program.owner.uid, program.owner.gid);
}
