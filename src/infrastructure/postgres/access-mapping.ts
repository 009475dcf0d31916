import { defineEntity, p } from '@mikro-orm/core';
import { ApiKey, Project } from '../../domain/access/index.ts';

const ProjectMapping = defineEntity({
  class: Project,
  schema: 'pennypost_access',
  tableName: 'project',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    slug: p.text(),
    senderDomain: p.text(),
    authorDomains: p.array(),
    trackingBaseUrl: p.text().nullable(),
    postalAddress: p.text(),
    timeZone: p.text(),
    defaultLanguage: p.text(),
    keepMessagesDays: p.integer(),
    keepEventsDays: p.integer(),
    verifiedDomains: p.array(),
    createdAt: p.datetime(),
    version: p.integer().version(),
  },
});

const ApiKeyMapping = defineEntity({
  class: ApiKey,
  schema: 'pennypost_access',
  tableName: 'api_key',
  properties: {
    projectId: p.uuid().primary(),
    id: p.uuid().primary(),
    name: p.text(),
    scopes: p.array(),
    secretHash: p.text(),
    requestsPerSecond: p.integer(),
    createdAt: p.datetime(),
    expiresAt: p.datetime().nullable(),
    revokedAt: p.datetime().nullable(),
    lastUsedAt: p.datetime().nullable(),
  },
});

export const accessMappings = [ProjectMapping, ApiKeyMapping] as const;
