/**
 * Cleans up after a failure and throws that failure, also when cleaning up fails: the first error is the one to tell.
 * @throws `error`, always
 */
export async function cleanUp(error: unknown, clean: () => unknown): Promise<never> {
  try {
    await clean();
  } catch {
    // What could not be cleaned up is a consequence; it would hide the cause.
  }
  throw error;
}

/** Works, then closes. @throws what `work` threw, also when `close` fails after it; what `close` threw when it alone failed */
export async function closing<T>(work: () => Promise<T>, close: () => unknown): Promise<T> {
  const result = await work().catch((error: unknown) => cleanUp(error, close));
  await close();
  return result;
}
