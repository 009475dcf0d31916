import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { type Route, routesOf } from '../route.ts';
import { id, idOf, line, pageOf, pageOfItems, pageQuery, slug, timestamp } from '../schemas.ts';
import { CONTENT_BODY_BYTES, contentExample, contentInput, contentSchema } from './content.ts';

const route = routesOf<Application>();

const templateSchema = z
  .object({ id, name: z.string(), slug: z.string(), content: contentSchema, createdAt: timestamp, updatedAt: timestamp })
  .openapi('Template');
const listedTemplateSchema = z
  .object({
    id,
    name: z.string(),
    slug: z.string(),
    kind: contentSchema.shape.kind,
    subject: z.string(),
    createdAt: timestamp,
    updatedAt: timestamp,
  })
  .openapi('ListedTemplate');
const params = z.object({ templateId: idOf('template') });

export const templateRoutes: readonly Route<Application>[] = [
  route({
    verb: 'templates.list',
    method: 'get',
    path: '/v1/templates',
    summary: 'List templates, without their content',
    permission: 'campaign.read',
    query: pageQuery,
    reply: pageOfItems(listedTemplateSchema),
    handle: ({ application, projectId, query }) => application.templates.list(projectId, pageOf(query)),
  }),
  route({
    verb: 'templates.create',
    method: 'post',
    path: '/v1/templates',
    summary: 'Create a template',
    permission: 'campaign.write',
    maxBodyBytes: CONTENT_BODY_BYTES,
    body: z
      .strictObject({ name: line(200), content: contentInput, slug: slug.optional() })
      .openapi({ example: { name: 'Welcome', content: contentExample } }),
    status: 201,
    reply: templateSchema,
    handle: ({ application, projectId, body }) => application.templates.create(projectId, body),
  }),
  route({
    verb: 'templates.get',
    method: 'get',
    path: '/v1/templates/{templateId}',
    summary: 'One template',
    permission: 'campaign.read',
    params,
    reply: templateSchema,
    handle: ({ application, projectId, params: { templateId } }) => application.templates.get(projectId, templateId),
  }),
  route({
    verb: 'templates.update',
    method: 'patch',
    path: '/v1/templates/{templateId}',
    summary: 'Update a template',
    description: 'Messages that were already accepted keep their content.',
    permission: 'campaign.write',
    params,
    maxBodyBytes: CONTENT_BODY_BYTES,
    body: z
      .strictObject({ name: line(200), content: contentInput })
      .partial()
      .openapi({ example: { name: 'Welcome back' } }),
    reply: templateSchema,
    handle: ({ application, projectId, params: { templateId }, body }) =>
      application.templates.update(projectId, templateId, body),
  }),
  route({
    verb: 'templates.delete',
    method: 'delete',
    path: '/v1/templates/{templateId}',
    summary: 'Delete a template',
    permission: 'campaign.write',
    params,
    handle: async ({ application, projectId, params: { templateId } }) => {
      await application.templates.delete(projectId, templateId);
      return undefined;
    },
  }),
];
