import { randomBytes } from 'node:crypto';
import { link, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { closing } from '../../domain/shared/clean-up.ts';
import { codeOf, readIfThere } from './embedded-directory.ts';
import { lives, ownMark } from './process-mark.ts';

/**
 * Lets one process at a time through `work`. The lock is a file made by `link`, which fails when it exists and is never seen
 * half written; it names its holder by pid and start time, so that a holder that was killed, and a pid that was given to
 * another process, are noticed. Two processes that find the same stale lock at the same instant could both go through; what is
 * done under the lock stays right then too (a rename onto a cluster fails, postgres has a lock of its own).
 */
export async function underStartLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const own = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  const holder = await ownMark();
  const locked = async (): Promise<T> => {
    await writeFile(own, holder, { mode: 0o600 });
    while (!(await take(own, path))) {
      const found = await readIfThere(path);
      if (found !== undefined && !(await lives(found))) await discard(path, found, own);
      else await delay(50);
    }
    return closing(work, async () => {
      if ((await readIfThere(path)) === holder) await rm(path, { force: true });
    });
  };
  return closing(locked, () => rm(own, { force: true }));
}

async function take(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Moves the stale lock away; puts it back when it turns out to be a new one. */
async function discard(path: string, stale: string, own: string): Promise<void> {
  const aside = `${own}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await readIfThere(aside)) !== stale) await take(aside, path);
  await rm(aside, { force: true });
}
