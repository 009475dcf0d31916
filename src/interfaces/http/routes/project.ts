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
    trackingBaseUrl: orNull(z.string()).openapi({ description: "Null: the instance's own public URL." }),
    postalAddress: z.string(),
    timeZone: z.string(),
    defaultLanguage: z.string(),
    createdAt: timestamp,
  })
  .openapi('Project');

export const projectRoutes: readonly Route<Application>[] = [
  route({
    method: 'get',
    path: '/v1/project',
    summary: "The settings of the key's project",
    permission: 'admin',
    reply: projectSchema,
    handle: ({ application, projectId }) => application.access.getProject(projectId),
  }),
  route({
    method: 'patch',
    path: '/v1/project',
    summary: "Change the settings of the key's project",
    description: 'What is not named stays as it is. The slug never changes.',
    permission: 'admin',
    body: z
      .strictObject({
        name: line(100),
        senderDomain: domainName.openapi({ description: 'Domain of Message-ID, List-Id and return paths, and of authors.' }),
        authorDomains: z
          .array(z.string().openapi({ format: 'idn-hostname' }))
          .max(50)
          .openapi({ description: 'Further domains that authors may have, each with its subdomains; `*` is any domain.' }),
        trackingBaseUrl: z
          .string()
          .nullable()
          .openapi({ format: 'uri', description: "Null goes back to the instance's own public URL." }),
        postalAddress: z
          .string()
          .max(500)
          .regex(POSTAL, 'A postal address of several lines is expected, without other control characters'),
        timeZone: timeZoneName,
        defaultLanguage: languageTag,
      })
      .partial()
      .openapi({ example: { timeZone: 'Europe/Berlin', authorDomains: ['example.com'] } }),
    reply: projectSchema,
    handle: ({ application, projectId, body }) => application.access.updateProject(projectId, body),
  }),
];
