/** The types of what verbs take and give, by name; all of them follow from the table of contents. */
import type { Application } from '../../application/application.ts';

type Access = Application['access'];
type Audience = Application['audience'];
type Given<Verb extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<Verb>>;

/** A UUIDv7, in lower case. */
export type Id = Project['id'];
/** One tenant: its own audience, keys, author domain and time zone. */
export type Project = Given<Access['getProject']>;
export type NewProject = Parameters<Access['createProject']>[0];
export type List = Given<Audience['getList']>;
export type NewList = Parameters<Audience['createList']>[1];
export type Subscriber = Given<Audience['getSubscriber']>;
/** What `audience.upsertSubscriber` takes: an address, attributes, lists to join. */
export type SubscriberInput = Parameters<Audience['upsertSubscriber']>[1];
export type ImportRequest = Parameters<Application['imports']['run']>[2];
export type Import = Given<Application['imports']['run']>;
export type CampaignInput = Parameters<Application['campaign']['create']>[1];
export type CampaignState = Given<Application['campaign']['get']>['state'];
export type LedgerFilter = Parameters<Application['campaign']['recipients']>[2];
/** What `messages.send` takes: an address, a template or content, variables. */
export type MessageInput = Parameters<Application['messages']['send']>[1];
