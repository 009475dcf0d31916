import { defineEntity, p } from '@mikro-orm/core';
import { List, Subscriber } from '../../domain/audience/index.ts';

export const SubscriberMapping = defineEntity({
  class: Subscriber,
  schema: 'pennypost_audience',
  tableName: 'subscriber',
  properties: {
    projectId: p.uuid().primary(),
    id: p.uuid().primary(),
    address: p.text().nullable(),
    emailKey: p.text().nullable(),
    status: p.text(),
    locale: p.text().nullable(),
    timeZone: p.text().nullable(),
    attributes: p.json(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    erasedAt: p.datetime().nullable(),
    version: p.integer().version(),
  },
});

export const ListMapping = defineEntity({
  class: List,
  schema: 'pennypost_audience',
  tableName: 'list',
  properties: {
    projectId: p.uuid().primary(),
    id: p.uuid().primary(),
    name: p.text(),
    slug: p.text(),
    description: p.text(),
    doubleOptIn: p.boolean(),
    archivedAt: p.datetime().nullable(),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    version: p.integer().version(),
  },
});

export const audienceMappings = [SubscriberMapping, ListMapping] as const;
