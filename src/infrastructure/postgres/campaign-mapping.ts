import { defineEntity, p } from '@mikro-orm/core';
import { Campaign, Template } from '../../domain/campaign/index.ts';

const CampaignMapping = defineEntity({
  class: Campaign,
  schema: 'pennypost_campaign',
  tableName: 'campaign',
  properties: {
    projectId: p.uuid().primary(),
    id: p.uuid().primary(),
    name: p.text(),
    slug: p.text(),
    subject: p.text(),
    author: p.json().$type<Campaign['author']>(),
    contentKind: p.text().$type<Campaign['contentKind']>(),
    contentVersion: p.integer(),
    audience: p.json().$type<Campaign['audience']>(),
    trackOpens: p.boolean(),
    trackClicks: p.boolean(),
    state: p.text().$type<Campaign['state']>(),
    pauseReason: p.text().nullable(),
    launchFailure: p.text().nullable(),
    recipients: p.integer(),
    createdAt: p.datetime(),
    scheduledAt: p.datetime().nullable(),
    launchedAt: p.datetime().nullable(),
    launchedOn: p.date().nullable(),
    submittedAt: p.datetime().nullable(),
    settledAt: p.datetime().nullable(),
    archivedAt: p.datetime().nullable(),
    version: p.integer().version(),
  },
});

const TemplateMapping = defineEntity({
  class: Template,
  schema: 'pennypost_campaign',
  tableName: 'template',
  properties: {
    projectId: p.uuid().primary(),
    id: p.uuid().primary(),
    name: p.text(),
    slug: p.text(),
    content: p.json().$type<Template['content']>(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    version: p.integer().version(),
  },
});

export const campaignMappings = [CampaignMapping, TemplateMapping];
