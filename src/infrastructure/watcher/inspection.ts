/** Looks into a running thread through an inspector session that is connected to it. */
import type { Debugger, Profiler, Session } from 'node:inspector/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PROFILE_MS = 2_000;
/** A thread inside one long call of the system answers no inspector; another one within a tenth of a second. */
const PATIENCE_MS = 5_000;
const MOST_FRAMES = 3;
/** What takes less of the time than this is not called the place where the time goes. */
const DECISIVE = 0.8;

/** What the thread does for two seconds. */
export async function profileOf(session: Session): Promise<Profiler.Profile> {
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  // Throws optimised code away. The profiler sees no function whose loop was optimised while it ran, which endless ones are.
  await session.post('Profiler.startPreciseCoverage', { callCount: true });
  await delay(PROFILE_MS);
  const { profile } = await session.post('Profiler.stop');
  await session.post('Profiler.stopPreciseCoverage');
  return profile;
}

/**
 * Where a busy thread is now, innermost first: `work (/srv/app/shop.js:12) < page (/srv/app/shop.js:40)`. It rests for
 * a millisecond.
 * @returns undefined when it answers nothing: what it runs is not JavaScript
 */
export async function stackOf(session: Session): Promise<string | undefined> {
  const files = new Map<string, string>();
  session.on('Debugger.scriptParsed', ({ params }) => void files.set(params.scriptId, params.url));
  const paused = new Promise<Debugger.CallFrame[]>((resolve) => {
    session.once('Debugger.paused', ({ params }) => resolve(params.callFrames));
  });
  const ask = async (): Promise<Debugger.CallFrame[]> => {
    await session.post('Debugger.enable');
    await session.post('Debugger.pause');
    const frames = await paused;
    // Ends the pause as well.
    await session.post('Debugger.disable');
    return frames;
  };
  const frames = await Promise.race([ask(), delay(PATIENCE_MS, undefined, { ref: false })]);
  return frames
    ?.slice(0, MOST_FRAMES)
    .map(({ functionName, location }) => placeOf(functionName, files.get(location.scriptId) ?? '', location.lineNumber))
    .join(' < ');
}

/** The innermost function that nearly all of the time was spent in, or that the thread had nothing to do. */
export function summaryOf({ nodes }: Profiler.Profile): string {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const totalOf = (node: Profiler.ProfileNode): number =>
    (node.children ?? []).reduce((sum, id) => sum + totalOf(byId.get(id)!), node.hitCount ?? 0);
  const [root] = nodes;
  const all = root === undefined ? 0 : totalOf(root);
  if (root === undefined || all === 0) return 'it was idle';
  let place = root;
  for (let next: Profiler.ProfileNode | undefined = root; next !== undefined; ) {
    place = next;
    next = (place.children ?? []).map((id) => byId.get(id)!).find((child) => totalOf(child) / all >= DECISIVE);
  }
  if (place === root) return 'it was busy in several places';
  const { functionName, url, lineNumber } = place.callFrame;
  const percent = `${Math.round((totalOf(place) / all) * 100)} % of the time`;
  return functionName === '(idle)' ? `it waited ${percent}` : `${percent} in ${placeOf(functionName, url, lineNumber)}`;
}

/** @param line counted from 0 */
function placeOf(name: string, url: string, line: number): string {
  const file = url.startsWith('file:') ? fileURLToPath(url) : url;
  return `${name === '' ? 'a function' : name}${file === '' ? '' : ` (${file}:${line + 1})`}`;
}
