import { z } from '@hono/zod-openapi';
import { type Application, FINDING_SUBJECTS } from '../../../application/application.ts';
import { type Route, routesOf } from '../route.ts';
import { domainName, id, idOf, pageOf, pageOfItems, pageQuery, timestamp, timestampOrNull } from '../schemas.ts';

const route = routesOf<Application>();

const dkimKey = z.object({
  id,
  selector: z.string(),
  algorithm: z.enum(['rsa-sha256', 'ed25519-sha256']),
  status: z.enum(['pending', 'active', 'retiring', 'retired']).openapi({
    description: '`active` keys sign. The DNS record of a `retiring` key must stay until `removableAt`.',
  }),
  publicKey: z.string(),
  createdAt: timestamp,
  activatedAt: timestampOrNull,
  replacedAt: timestampOrNull,
  removableAt: timestampOrNull,
});
const domainSchema = z
  .object({
    id,
    name: z.string(),
    status: z
      .enum(['pending', 'verified'])
      .openapi({ description: '`verified`: the DNS has shown its RSA key. Mail of its authors is signed.' }),
    createdAt: timestamp,
    verifiedAt: timestampOrNull,
    checkedAt: timestampOrNull,
    keys: z.array(dkimKey).readonly(),
    records: z
      .array(
        z.object({
          host: z.string(),
          type: z.literal('TXT'),
          value: z.string(),
          zoneValue: z.string().openapi({ description: 'For a zone file: quoted strings of 255 characters at most.' }),
          note: z.string(),
        }),
      )
      .readonly()
      .openapi({ description: 'DNS records to set.' }),
    findings: z
      .array(
        z.object({
          about: z.enum(FINDING_SUBJECTS),
          level: z.enum(['pass', 'warn', 'fail']).openapi({ description: '`fail` blocks launches.' }),
          host: z.string(),
          found: z.string(),
          wanted: z.string(),
          advice: z.string(),
        }),
      )
      .readonly()
      .openapi({ description: 'Results of the last check.' }),
  })
  .openapi('Domain');
const params = z.object({ domainId: idOf('domain') });

export const domainRoutes: readonly Route<Application>[] = [
  route({
    verb: 'domains.list',
    method: 'get',
    path: '/v1/domains',
    summary: 'List sending domains, oldest first',
    permission: 'admin',
    query: pageQuery,
    reply: pageOfItems(domainSchema),
    handle: ({ application, projectId, query }) => application.domains.list(projectId, pageOf(query)),
  }),
  route({
    verb: 'domains.create',
    method: 'post',
    path: '/v1/domains',
    summary: 'Add a sending domain',
    description: 'Creates an RSA and an Ed25519 key. Set the `records` in the DNS, then check the domain.',
    permission: 'admin',
    body: z.strictObject({ name: domainName }).openapi({ example: { name: 'news.example.com' } }),
    status: 201,
    reply: domainSchema,
    handle: ({ application, projectId, body }) => application.domains.create(projectId, body),
  }),
  route({
    verb: 'domains.get',
    method: 'get',
    path: '/v1/domains/{domainId}',
    summary: 'Show a sending domain with its DNS records',
    permission: 'admin',
    params,
    reply: domainSchema,
    handle: ({ application, projectId, params }) => application.domains.get(projectId, params.domainId),
  }),
  route({
    verb: 'domains.check',
    method: 'post',
    path: '/v1/domains/{domainId}/check',
    summary: 'Check the DNS records of a sending domain',
    description: 'Looks up DKIM, DMARC, SPF, MX and PTR records. Keys that the DNS shows begin to sign. Takes up to 20 seconds.',
    permission: 'admin',
    params,
    reply: domainSchema,
    handle: ({ application, projectId, params }) => application.domains.check(projectId, params.domainId),
  }),
  route({
    verb: 'domains.rotate',
    method: 'post',
    path: '/v1/domains/{domainId}/rotate',
    summary: 'Create new keys for a sending domain',
    description: 'The present keys sign until a check finds the DNS records of the new ones.',
    permission: 'admin',
    params,
    reply: domainSchema,
    handle: ({ application, projectId, params }) => application.domains.rotate(projectId, params.domainId),
  }),
  route({
    verb: 'domains.delete',
    method: 'delete',
    path: '/v1/domains/{domainId}',
    summary: 'Delete a sending domain and its keys',
    description:
      'Mail is not signed for the domain any more. Without a verified domain, `authorDomains` decides on authors again.',
    permission: 'admin',
    params,
    reply: domainSchema,
    handle: ({ application, projectId, params }) => application.domains.delete(projectId, params.domainId),
  }),
];
