import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { type Route, routesOf } from '../route.ts';
import { id, orNull, timestamp, timestampOrNull } from '../schemas.ts';

const route = routesOf<Application>();

const lane = z.enum(['transactional', 'bulk', 'background']);

export const statusRoutes: readonly Route<Application>[] = [
  route({
    verb: 'status.get',
    method: 'get',
    path: '/v1/status',
    summary: 'Show queue depth, oldest job and active workers per lane',
    description: 'Covers the whole instance with all projects, so the scope `admin` of a project does not include it.',
    permission: 'instance.read',
    reply: z
      .object({
        databaseEnds: orNull(
          z.object({ count: z.int(), lastAt: orNull(timestamp), lastReason: orNull(z.string()) }).openapi({
            description:
              'How often the embedded PostgreSQL ended by itself and was restarted; null with your own database server.',
          }),
        ),
        lanes: z.array(z.object({ lane, waiting: z.int(), active: z.int(), oldestAgeMs: z.number() })).readonly(),
        publicUrl: z.object({ stored: orNull(z.string()), here: orNull(z.string()) }).openapi({
          description: 'What links in mail begin with: stored for the instance, and set in this process. They should agree.',
        }),
        campaigns: z.object({ shards: z.int(), recipients: z.int(), oldestAgeMs: z.number() }),
        workers: z
          .array(
            z.object({
              id,
              host: z.string(),
              pid: z.int(),
              lanes: z.array(lane).readonly(),
              startedAt: timestamp,
              responds: z.boolean().openapi({ description: 'False while its event loop is blocked.' }),
              progress: z.object({
                shards: z.int(),
                submitted: z.int(),
                perSecond: z.number(),
                unrecorded: z.int(),
                trouble: guarded(
                  'worker.trouble',
                  orNull(z.string()),
                  'The last transport error, while no answer has come since.',
                ),
                stuck: guarded(
                  'worker.stuck',
                  orNull(z.object({ at: z.string(), forMs: z.number(), profile: orNull(z.string()) })),
                  'Set while the worker is stuck: what it waits for, for how long, and the path of its CPU profile on its machine.',
                ),
              }),
            }),
          )
          .readonly(),
        failingTransports: z
          .array(
            z.object({
              projectId: id,
              transport: z.string(),
              state: z.enum(['open', 'half_open', 'closed']),
              cause: orNull(z.string()),
              reason: orNull(z.string()),
              changedAt: timestampOrNull,
              nextTrialAt: timestampOrNull,
            }),
          )
          .readonly()
          .openapi({ description: 'Transports of projects that fail: other routes take their messages, or the messages wait.' }),
      })
      .openapi('Status'),
    handle: ({ application }) => application.status.get(),
  }),
];
