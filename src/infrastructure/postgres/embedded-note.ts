/** The note beside the cluster: which process supervises the server, and what befell the server since. */
import { rename, rm, writeFile } from 'node:fs/promises';
import type { DatabaseEnds } from '../../application/delivery/status/status-board.ts';
import { cleanUp } from '../../domain/shared/clean-up.ts';
import { type Layout, readIfThere } from './embedded-directory.ts';
import { lives, ownMark } from './process-mark.ts';

export const NO_ENDS: DatabaseEnds = { count: 0, lastAt: undefined, lastReason: undefined };

/** Names this process as the supervisor. */
export async function writeNote(layout: Layout, ends: DatabaseEnds): Promise<void> {
  const beside = `${layout.supervisorFile}.new`;
  try {
    await writeFile(beside, `${await ownMark()}${JSON.stringify(ends)}\n`, { mode: 0o644 });
    await rename(beside, layout.supervisorFile);
  } catch (error) {
    // Nothing half written stays on a full disk.
    await cleanUp(error, () => rm(beside, { force: true }));
  }
}

export async function removeNote(layout: Layout): Promise<void> {
  const text = await readIfThere(layout.supervisorFile);
  if (text?.startsWith(await ownMark()) === true) await rm(layout.supervisorFile, { force: true });
}

/** Undefined when no living process of this machine supervises the server. */
export async function readNote(layout: Layout): Promise<{ readonly pid: number; readonly ends: DatabaseEnds } | undefined> {
  const text = await readIfThere(layout.supervisorFile);
  if (text === undefined || !(await lives(text))) return undefined;
  return { pid: Number.parseInt(text, 10), ends: endsIn(text.slice(text.indexOf('\n') + 1)) };
}

function endsIn(text: string): DatabaseEnds {
  try {
    const { count, lastAt, lastReason } = JSON.parse(text) as { count: number; lastAt?: string; lastReason?: string };
    return { count, lastAt: lastAt === undefined ? undefined : new Date(lastAt), lastReason };
  } catch (error) {
    if (error instanceof SyntaxError) return NO_ENDS;
    throw error;
  }
}
