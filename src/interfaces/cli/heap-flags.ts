/**
 * Flags of V8 for processes that send. Without them garbage grows where memory is plenty: 128 MB of young and up to four times the
 * live old generation, together 350 MB resident for a sender whose live data are 45 MB (docs/inside/performance.md).
 */
const HEAP_FLAGS = [
  // Two halves of 16 MB: at 12,000 messages a second one half fills ten times a second.
  '--max-semi-space-size=16',
  // The old generation is collected when it has grown by half over what was alive.
  '--heap-growing-percent=50',
];

/** The options of Node for a worker process: those of this one, with the flags. */
export function workerExecArgv(own: readonly string[]): string[] {
  return [...own.filter((option) => !HEAP_FLAGS.includes(option)), ...HEAP_FLAGS];
}

/**
 * A process that sends starts itself again with the flags, in its own place: same id, same streams, some 40 ms. V8 does not take them
 * once it runs. Where a process cannot be replaced (Windows), it goes on without them.
 * @param words the command line without `node` and the script
 */
export function startWithHeapFlags(words: readonly string[]): void {
  const sends = /^(serve|work|demo|import)$/.test(words[0] ?? '') || words.some((word) => /^(watch|--watch|--wait)$/.test(word));
  // The channel to a parent would be lost; that one gives the flags.
  if (
    !sends ||
    process.channel !== undefined ||
    HEAP_FLAGS.every((flag) => process.execArgv.includes(flag)) ||
    process.execve === undefined
  )
    return;
  process.execve(process.execPath, [process.execPath, ...workerExecArgv(process.execArgv), ...process.argv.slice(1)]);
}
