import type { EntitySchema } from '@mikro-orm/core';
import { accessMappings } from './access-mapping.ts';
import { audienceMappings } from './audience-mapping.ts';
import { campaignMappings } from './campaign-mapping.ts';

/** Every aggregate that MikroORM maps from outside; each context adds its own (`<context>-mapping.ts`). */
export const mappings: readonly EntitySchema[] = [...accessMappings, ...audienceMappings, ...campaignMappings];
