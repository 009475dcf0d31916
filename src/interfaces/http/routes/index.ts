/** Every route there is: the app mounts this table, the OpenAPI document describes it, the isolation test walks it. */
import type { Application } from '../../../application/application.ts';
import type { Route } from '../route.ts';
import { campaignAudienceRoutes } from './campaign-audience.ts';
import { campaignRoutes } from './campaigns.ts';
import { domainRoutes } from './domains.ts';
import { importRoutes } from './imports.ts';
import { keyRoutes } from './keys.ts';
import { listRoutes } from './lists.ts';
import { messageRoutes } from './messages.ts';
import { projectRoutes } from './project.ts';
import { reportRoutes } from './reports.ts';
import { routeRoutes } from './routes.ts';
import { statusRoutes } from './status.ts';
import { subscriberRoutes } from './subscribers.ts';
import { suppressionRoutes } from './suppressions.ts';
import { templateRoutes } from './templates.ts';
import { transportRoutes } from './transports.ts';

export const routes: readonly Route<Application>[] = [
  ...listRoutes,
  ...subscriberRoutes,
  ...importRoutes,
  ...suppressionRoutes,
  ...templateRoutes,
  ...campaignRoutes,
  ...campaignAudienceRoutes,
  ...messageRoutes,
  ...transportRoutes,
  ...routeRoutes,
  ...reportRoutes,
  ...projectRoutes,
  ...domainRoutes,
  ...keyRoutes,
  ...statusRoutes,
];
