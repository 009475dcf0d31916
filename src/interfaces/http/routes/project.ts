import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { type Route, routesOf } from '../route.ts';
import { CONTROL, domainName, id, languageTag, line, orNull, timestamp, timeZoneName } from '../schemas.ts';

const route = routesOf<Application>();

/** Several lines, and no other control characters. */
const POSTAL = new RegExp(`^(\\r\\n|\\n|[^${CONTROL}])*$`);

const projectSchema = z
  .object({
    id,
    slug: z.string(),
    name: z.string(),
    senderDomain: z.string(),
    authorDomains: z.array(z.string()).readonly(),
    trackingBaseUrl: orNull(z.string()).openapi({ description: 'Null: the public URL of the instance.' }),
    postalAddress: z.string(),
    timeZone: z.string(),
    defaultLanguage: z.string(),
    keepMessagesDays: z.int().openapi({ description: 'Days that content and variables of transactional messages are kept.' }),
    keepEventsDays: z.int().openapi({ description: 'Days that single opens and clicks are kept. Counters stay.' }),
    createdAt: timestamp,
  })
  .openapi('Project');

export const projectRoutes: readonly Route<Application>[] = [
  route({
    verb: 'projects.get',
    method: 'get',
    path: '/v1/project',
    summary: "Show the settings of the key's project",
    permission: 'admin',
    reply: projectSchema,
    handle: ({ application, projectId }) => application.projects.get(projectId),
  }),
  route({
    verb: 'projects.update',
    method: 'patch',
    path: '/v1/project',
    summary: "Update the settings of the key's project",
    description: 'Fields that are absent keep their values. The slug never changes.',
    permission: 'admin',
    body: z
      .strictObject({
        name: line(100),
        senderDomain: domainName.openapi({ description: 'Domain of author addresses, Message-ID, List-Id and return paths.' }),
        authorDomains: z
          .array(z.string().openapi({ format: 'idn-hostname' }))
          .max(50)
          .openapi({ description: 'Further domains for author addresses, each with its subdomains. `*`: any domain.' }),
        trackingBaseUrl: z.string().nullable().openapi({ format: 'uri', description: 'Null: the public URL of the instance.' }),
        postalAddress: z
          .string()
          .max(500)
          .regex(POSTAL, 'A postal address of several lines is expected, without other control characters'),
        timeZone: timeZoneName,
        defaultLanguage: languageTag,
        keepMessagesDays: z.int().min(1).max(3_650),
        keepEventsDays: z.int().min(1).max(3_650),
      })
      .partial()
      .openapi({ example: { timeZone: 'Europe/Berlin', authorDomains: ['example.com'] } }),
    reply: projectSchema,
    handle: ({ application, projectId, body }) => application.projects.update(projectId, body),
  }),
];
