/**
 * Keeps the heap of a process that sends near what it needs. V8 lets garbage grow where memory is plenty: 128 MB of young and up to
 * four times the live old generation, together 350 MB resident for a sender whose live data are 45 MB. With these two bounds it
 * stays under 240 MB at the same speed (docs/inside/performance.md).
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Old generation: collected when it has grown by half over what was alive. */
const GROWING_PERCENT = 50;
/** Young generation, both halves: at 12,000 messages a second one half fills ten times a second. */
const YOUNG_BYTES = 32 * 1_024 * 1_024;
const LOOK_MS = 100;

/** Before modules are loaded: their garbage would blow the young generation up to 64 MB, which it never gives back. */
export function loadFrugally(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** Once per process, by whoever owns the process: these are settings of all of V8. @returns ends it */
export function keepHeapSmall(): () => void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
  // Growth is counted from the last full collection, and without one V8 first fills some 100 MB.
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
  // The greatest size of the young generation is fixed when V8 starts; by which factor it grows can be said at any time.
  let grows: boolean | undefined;
  const look = (): void => {
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
    const mayGrow = young === undefined || young.space_size < YOUNG_BYTES;
    if (mayGrow !== grows) setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
    grows = mayGrow;
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
