/** The types of what verbs take and give, by name; all of them follow from the table of contents. */
import type {
  Campaigns,
  Imports,
  Lists,
  Messages,
  Project,
  Projects,
  Routes,
  SubscriberDetails,
  Subscribers,
  Transports,
} from '../../application/application.ts';

type Given<Verb extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<Verb>>;

/** A UUIDv7, in lower case. */
export type Id = Project['id'];
export type NewProject = Parameters<Projects['create']>[0];
export type List = Given<Lists['get']>;
export type NewList = Parameters<Lists['create']>[1];
export type Subscriber = SubscriberDetails;
/** What `subscribers.upsert` takes: an address, attributes, lists to join, the consent to it. */
export type SubscriberInput = Parameters<Subscribers['upsert']>[1];
export type ImportRequest = Parameters<Imports['create']>[2];
export type Import = Given<Imports['get']>;
export type CampaignInput = Parameters<Campaigns['create']>[1];
export type CampaignState = Given<Campaigns['get']>['state'];
export type LedgerFilter = NonNullable<Parameters<Campaigns['recipients']>[2]>;
/** What `messages.send` takes: an address, a template or content, variables. */
export type MessageInput = Parameters<Messages['send']>[1];
/** What `transports.create` takes: a kind and its settings. */
export type TransportInput = Parameters<Transports['create']>[1];
export type Transport = Given<Transports['get']>;
export type RouteInput = Parameters<Routes['create']>[1];
export type Route = Given<Routes['get']>;
export type { Project };
