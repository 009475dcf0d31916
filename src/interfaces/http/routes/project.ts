import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { type Route, routesOf } from '../route.ts';
import { id, orNull, timestamp } from '../schemas.ts';

const route = routesOf<Application>();

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
        name: z.string(),
        senderDomain: z.string().openapi({ description: 'Domain of Message-ID, List-Id and return paths, and of authors.' }),
        authorDomains: z
          .array(z.string())
          .max(50)
          .openapi({ description: 'Further domains that authors may have, each with its subdomains; `*` is any domain.' }),
        trackingBaseUrl: z.string().nullable().openapi({ description: "Null goes back to the instance's own public URL." }),
        postalAddress: z.string(),
        timeZone: z.string().openapi({ description: 'IANA name.' }),
        defaultLanguage: z.string().openapi({ description: 'BCP 47.' }),
      })
      .partial()
      .openapi({ example: { timeZone: 'Europe/Berlin', authorDomains: ['example.com'] } }),
    reply: projectSchema,
    handle: ({ application, projectId, body }) => application.access.updateProject(projectId, body),
  }),
];
