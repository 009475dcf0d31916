import type { Log } from '../../log.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';

/** Some milliseconds each. */
const AT_ONCE = 100;

/**
 * After the instance's key was replaced: credentials of transports are sealed under the new one, so that the old one can be removed. Batch by
 * batch, while mail is sent.
 */
export async function resealTransports({ work, log }: { readonly work: UnitOfWork; readonly log: Log }): Promise<void> {
  let unreadable = 0;
  for (let after: { readonly projectId: string; readonly id: string } | undefined; ; ) {
    const batch = await work.run(({ delivery }) => delivery.transports.reseal(after, AT_ONCE));
    unreadable += batch.unreadable.length;
    if (batch.next === undefined) break;
    after = batch.next;
  }
  if (unreadable > 0)
    log.error(
      { transports: unreadable },
      'credentials of transports cannot be opened with the keys of this node; store them again',
    );
}
