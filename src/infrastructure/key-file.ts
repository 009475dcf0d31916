/** Files that hold the instance's secret: one that an operator names, and the one that a data directory gets at its first use. */
import { randomBytes } from 'node:crypto';
import { chmod, link, open, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { generateSecretKey, InvalidSecretKey, parseSecretKey } from '../domain/access/index.ts';
import { closing } from '../domain/shared/clean-up.ts';
import { DomainError } from '../domain/shared/errors.ts';
import { claimDataDirectory, codeOf, fileFailure } from './postgres/embedded-directory.ts';

export type SecretKeys = readonly [Buffer, ...Buffer[]];

/** The file is there and gives no key, or is not there although it was named. */
export class SecretKeyFileUnusable extends DomainError {
  readonly code = 'config.secret_key_file_unusable';
  readonly kind = 'unavailable';
}

/** Many keys and their comments fit; a disk image that was named by mistake is not read whole. */
const MOST_BYTES = 65_536;

/** One key or several, parted by white space or commas, the present one first. @throws InvalidSecretKey */
export function secretKeysIn(written: string): SecretKeys {
  const [first, ...others] = written.split(/[\s,]+/).filter((part) => part !== '');
  return [parseSecretKey(first ?? ''), ...others.map(parseSecretKey)];
}

/** @param name of the setting that names the file. @throws SecretKeyFileUnusable that names setting, path and reason */
export async function readKeyFile(name: string, file: string): Promise<SecretKeys> {
  const path = resolve(file);
  const unusable = (why: string) => new SecretKeyFileUnusable(`${name} is ${path}, ${why}`);
  const written = await readStart(path).catch((error: unknown) => {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') throw unusable('and there is no such file.');
    if (code === 'EISDIR') throw unusable('which is a directory. Name the file in it.');
    if (code === 'EACCES' || code === 'EPERM')
      throw unusable(`which this user may not read (${code}). Change its owner or mode.`);
    if (code !== undefined) throw unusable(`which cannot be read (${code}).`);
    throw error;
  });
  if (written.trim() === '')
    throw unusable('which is empty. Restore it from a backup; for a new instance: openssl rand -hex 32 > the file.');
  try {
    return secretKeysIn(written);
  } catch (error) {
    if (!(error instanceof InvalidSecretKey)) throw error;
    throw unusable(`which does not contain keys. ${error.message}`);
  }
}

/** The key of a data directory, made at its first use. Of several processes that start at once, all get the same. */
export async function ownSecretKeys(dataDir: string): Promise<SecretKeys> {
  const root = await claimDataDirectory(dataDir);
  const path = join(root, 'secret-key');
  try {
    await makeKeyFile(path);
    await chmod(path, 0o600);
  } catch (error) {
    throw fileFailure(path, error);
  }
  return readKeyFile('The secret key of the data directory', path);
}

/** Complete and on disk before it gets its name; `link` fails where the name is taken. */
async function makeKeyFile(path: string): Promise<void> {
  if (await exists(path)) return;
  const beside = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  const make = async (): Promise<void> => {
    const file = await open(beside, 'wx', 0o600);
    const write = async (): Promise<void> => {
      await file.writeFile(`${generateSecretKey().toString('hex')}\n`);
      await file.sync();
    };
    await closing(write, () => file.close());
    await link(beside, path).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  };
  await closing(make, () => rm(beside, { force: true }));
  const directory = await open(dirname(path), 'r');
  await closing(
    () => directory.sync(),
    () => directory.close(),
  );
}

async function exists(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  await file?.close();
  return file !== undefined;
}

/** Also from a pipe, as in `PENNYPOST_SECRET_KEY_FILE=<(vault read ...)`. */
async function readStart(path: string): Promise<string> {
  const file = await open(path, 'r');
  const read = async (): Promise<string> => {
    const buffer = Buffer.alloc(MOST_BYTES);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) return buffer.toString('utf8', 0, length);
      length += bytesRead;
    }
  };
  return closing(read, () => file.close());
}
