import type { Application } from '../../application/application.ts';

type Attributes = Awaited<ReturnType<Application['subscribers']['get']>>['attributes'];

/**
 * Asked for each page of 50 to 1,000 recipients, shortly before their messages are composed. What it answers stands over the
 * stored attributes, for these messages only: nothing of it is kept. It may leave subscribers out, who then have their
 * attributes and the content's defaults.
 *
 * When it rejects, or takes longer than `recipientDataTimeoutMs`, every recipient of the page is deferred with the reason and asked for
 * again later; no message goes out without its data. It may be asked about the same subscriber more than once, also by several
 * processes at once, so it should only read.
 * @param ids of subscribers
 */
export type RecipientDataFunction = (
  campaign: { readonly projectId: string; readonly id: string },
  ids: readonly string[],
) => Promise<ReadonlyMap<string, object>>;

/** The host's function as the bulk sender asks it: what it throws or answers wrongly becomes a rejection. */
export function recipientDataReader(read: RecipientDataFunction) {
  return async (
    campaign: { readonly projectId: string; readonly campaignId: string },
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, Attributes>> => {
    const data: unknown = await read({ projectId: campaign.projectId, id: campaign.campaignId }, ids);
    if (!isMap(data)) throw new TypeError('recipientData must resolve to a Map from subscriber id to an object');
    const attributes = new Map<string, Attributes>();
    for (const id of ids) {
      const one = data.get(id);
      if (one === undefined) continue;
      if (typeof one !== 'object' || one === null || Array.isArray(one))
        throw new TypeError(`recipientData returned no object for ${id}`);
      attributes.set(id, one as Attributes);
    }
    return attributes;
  };
}

/** A Map of another realm (a test runner's, a worker's) is one too. */
function isMap(data: unknown): data is ReadonlyMap<unknown, unknown> {
  return Object.prototype.toString.call(data) === '[object Map]';
}
