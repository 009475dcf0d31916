/**
 * CPU profiles of a process in trouble: `.cpuprofile` files that Chrome, VS Code and speedscope open. There are never many, and none
 * is old.
 */
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import type { Session } from 'node:inspector/promises';
import { join } from 'node:path';
import type { RecordedProfile } from '../../application/delivery/status/stuck-watch.ts';
import { claimDataDirectory, codeOf } from '../postgres/embedded-directory.ts';
import { profileOf, summaryOf } from './inspection.ts';

/** Where profiles go. */
export interface ProfilePlace {
  /** Default: `profiles` in the data directory. */
  readonly profileDir: string | undefined;
  readonly dataDir: string;
}

const MOST_PROFILES = 20;
const OLDEST_MS = 7 * 24 * 3_600_000;

/** @param session connected to the thread @throws Error when nothing can be written */
export async function recordCpuProfile(place: ProfilePlace, session: Session): Promise<RecordedProfile> {
  const profile = await profileOf(session);
  const directory = await profileDirectory(place);
  await removeOld(directory);
  const moment = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const path = join(directory, `worker-${moment}-${process.pid}.cpuprofile`);
  await writeFile(path, JSON.stringify(profile), { mode: 0o600 });
  return { path, summary: summaryOf(profile) };
}

async function profileDirectory({ profileDir, dataDir }: ProfilePlace): Promise<string> {
  const directory = profileDir ?? join(await claimDataDirectory(dataDir), 'profiles');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return directory;
}

/** Makes room for one more. Other processes may be doing the same. */
async function removeOld(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => /^worker-.*\.cpuprofile$/.test(name));
  const files = await Promise.all(names.map((name) => ageOf(join(directory, name))));
  files.sort((a, b) => a.ageMs - b.ageMs);
  const surplus = files.filter(({ ageMs }, index) => index >= MOST_PROFILES - 1 || ageMs > OLDEST_MS);
  await Promise.all(surplus.map(({ path }) => rm(path, { force: true })));
}

async function ageOf(path: string): Promise<{ readonly path: string; readonly ageMs: number }> {
  try {
    return { path, ageMs: Date.now() - (await stat(path)).mtimeMs };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { path, ageMs: 0 };
    throw error;
  }
}
