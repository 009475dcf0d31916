/**
 * What a running `pennypost serve` tells the other processes on its data directory: where its pages are and, when mail goes to
 * its development inbox, where that listens. So a campaign launched in another terminal lands in the inbox that people look
 * at, and its links lead to the port that really answers. A file, because both processes are on this machine (the inbox
 * listens on loopback only), and because it must be there with any database. One file per process: several may serve on one data
 * directory, and each takes back only its own note.
 */
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { cleanUp } from '../domain/shared/clean-up.ts';
import { claimDataDirectory, codeOf, fileFailure, readIfThere } from './postgres/embedded-directory.ts';
import { lives, ownMark } from './postgres/process-mark.ts';

export interface ServingNote {
  /** `http://127.0.0.1:8025`; what links in mail begin with when nothing else is configured. */
  readonly publicUrl: string;
  /** `smtp://127.0.0.1:45678`; undefined when mail goes to a real server. */
  readonly inboxUrl: string | undefined;
  /** `relay.example.com:587`: the real server that mail is handed to; undefined when it goes to the inbox. */
  readonly relay?: string | undefined;
}

interface StoredNote extends ServingNote {
  /** See process-mark.ts. */
  readonly process: string;
  /** Another machine or container on the same directory, whose processes cannot be seen from here. */
  readonly host: string;
  readonly since: string;
}

/** Writes the note, and removes those of processes that were killed. @returns what takes it back */
export async function writeServingNote(dataDir: string, note: ServingNote): Promise<() => Promise<void>> {
  const root = await claimDataDirectory(dataDir);
  for (const { path, stored } of await notesIn(root))
    if (stored === undefined || (stored.host === hostname() && !(await lives(stored.process)))) await rm(path, { force: true });
  const path = join(root, `serving-${process.pid}-${randomBytes(4).toString('hex')}.json`);
  const stored: StoredNote = { ...note, process: await ownMark(), host: hostname(), since: new Date().toISOString() };
  const beside = `${path}.new`;
  try {
    await writeFile(beside, `${JSON.stringify(stored)}\n`, { mode: 0o644 });
    await rename(beside, path);
  } catch (error) {
    return cleanUp(fileFailure(root, error), () => rm(beside, { force: true }));
  }
  return () => rm(path, { force: true });
}

/**
 * What the newest of the processes that still live says; one that was killed leaves its note behind, and is not believed. One that
 * serves without a relay and without an inbox of its own uses that of another.
 */
export async function readServingNote(dataDir: string): Promise<ServingNote | undefined> {
  const living: StoredNote[] = [];
  for (const { stored } of await notesIn(dataDir))
    if (stored !== undefined && stored.host === hostname() && (await lives(stored.process))) living.push(stored);
  living.sort((one, other) => (one.since < other.since ? 1 : -1));
  const [newest] = living;
  if (newest === undefined) return undefined;
  const { publicUrl, relay } = newest;
  const withInbox = relay === undefined ? living.find(({ inboxUrl }) => inboxUrl !== undefined) : undefined;
  return { publicUrl, inboxUrl: withInbox?.inboxUrl, relay };
}

/** @returns notes as they are stored; undefined for another file, such as one that a full disk cut off */
async function notesIn(
  directory: string,
): Promise<readonly { readonly path: string; readonly stored: StoredNote | undefined }[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw fileFailure(directory, error);
  });
  const found = names.filter((name) => /^serving-\d+-[\da-f]+\.json$/.test(name)).map((name) => join(directory, name));
  return Promise.all(found.map(async (path) => ({ path, stored: parse(await readIfThere(path)) })));
}

function parse(text: string | undefined): StoredNote | undefined {
  try {
    const note: unknown = JSON.parse(text ?? '');
    const whole =
      typeof note === 'object' &&
      note !== null &&
      ['publicUrl', 'process', 'host', 'since'].every((name) => typeof Reflect.get(note, name) === 'string');
    return whole ? (note as StoredNote) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
