/**
 * What a running `pennypost serve` tells the other processes on its data directory: where its pages are and, when mail goes to
 * its development inbox, where that listens. So a campaign launched in another terminal lands in the inbox that people look
 * at, and its links lead to the port that really answers. A file, because both processes are on this machine (the inbox
 * listens on loopback only), and because it must be there with any database.
 */
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { claimDataDirectory, readIfThere } from './postgres/embedded-directory.ts';
import { lives, ownMark } from './postgres/process-mark.ts';

export interface ServingNote {
  /** `http://127.0.0.1:8025`; what links in mail begin with when nothing else is configured. */
  readonly publicUrl: string;
  /** `smtp://127.0.0.1:45678`; undefined when mail goes to a real server. */
  readonly inboxUrl: string | undefined;
  /** `relay.example.com:587`: the real server that mail is handed to; undefined when it goes to the inbox. */
  readonly relay?: string | undefined;
}

/** Writes the note; of several that serve on one data directory the last one is found. @returns what takes it back */
export async function writeServingNote(dataDir: string, note: ServingNote): Promise<() => Promise<void>> {
  const path = pathIn(await claimDataDirectory(dataDir));
  const text = `${JSON.stringify({ ...note, process: await ownMark() })}\n`;
  const beside = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFile(beside, text, { mode: 0o644 });
  await rename(beside, path);
  return async () => {
    if ((await readIfThere(path)) === text) await rm(path, { force: true });
  };
}

/** The note of a process that still lives; one that was killed leaves its note behind, and is not believed. */
export async function readServingNote(dataDir: string): Promise<ServingNote | undefined> {
  const text = await readIfThere(pathIn(dataDir));
  if (text === undefined) return undefined;
  const note = JSON.parse(text) as ServingNote & { readonly process: string };
  const { publicUrl, inboxUrl, relay } = note;
  return (await lives(note.process)) ? { publicUrl, inboxUrl, relay } : undefined;
}

const pathIn = (dataDir: string): string => join(dataDir, 'serving.json');
