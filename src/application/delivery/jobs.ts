import { z } from 'zod';
import type { Job } from '../job.ts';

const campaignIds = z.object({ projectId: z.uuid(), campaignId: z.uuid() });
const messageIds = z.object({ projectId: z.uuid(), messageId: z.uuid() });
const nothing = z.object({});

/** Wakes the bulk workers: there are shards to claim. The lease owns the work, so a lost job only costs a quarter of a second. */
export const bulkWake: Job<z.infer<typeof campaignIds>> = {
  name: 'bulk.wake',
  lane: 'bulk',
  schema: campaignIds,
  retry: { limit: 2, delaySeconds: 1 },
};

/** Hands one transactional message over. */
export const sendMessage: Job<z.infer<typeof messageIds>> = {
  name: 'transactional.send',
  lane: 'transactional',
  schema: messageIds,
  retry: { limit: 5, delaySeconds: 1 },
};

/** Finds transactional messages that are due without a job. */
export const sweepMessages: Job<z.infer<typeof nothing>> = {
  name: 'background.sweep-messages',
  lane: 'background',
  schema: nothing,
  retry: { limit: 0, delaySeconds: 1 },
  schedule: '* * * * *',
};

/** Makes the partitions of the months to come; facts outside of them would be kept in the default one, and slow it down. */
export const makePartitions: Job<z.infer<typeof nothing>> = {
  name: 'background.make-partitions',
  lane: 'background',
  schema: nothing,
  retry: { limit: 3, delaySeconds: 60 },
  schedule: '17 3 * * *',
};

/** Ends runs, settles campaigns, cuts retry runs, launches what is scheduled. */
export const tendCampaigns: Job<z.infer<typeof nothing>> = {
  name: 'background.tend-campaigns',
  lane: 'background',
  schema: nothing,
  retry: { limit: 0, delaySeconds: 1 },
  schedule: '* * * * *',
};

/** What is older than projects keep; see `Retention`. */
export const retain: Job<z.infer<typeof nothing>> = {
  name: 'background.retain',
  lane: 'background',
  schema: nothing,
  retry: { limit: 3, delaySeconds: 60 },
  schedule: '47 3 * * *',
};

const project = z.object({ projectId: z.guid() });

/** The rows of a deleted project. */
export const removeProjectRows: Job<z.infer<typeof project>> = {
  name: 'background.remove-project-rows',
  lane: 'background',
  schema: project,
  retry: { limit: 10, delaySeconds: 10 },
};

const subscriber = z.object({ projectId: z.guid(), subscriberId: z.guid() });

/** Replies and events of an erased subscriber. */
export const eraseTraces: Job<z.infer<typeof subscriber>> = {
  name: 'background.erase-traces',
  lane: 'background',
  schema: subscriber,
  retry: { limit: 10, delaySeconds: 10 },
};
