import type { Project } from '../../../domain/access/index.ts';
import type { Content, PlanContext } from '../../../domain/campaign/index.ts';
import type { TransactionalMessage } from '../../../domain/delivery/index.ts';
import { messagePlanContext, type PlannedCampaign } from '../plan-context.ts';
import type { KeptFields } from './message-input.ts';

export type Variables = Readonly<Record<string, unknown>>;

/** The campaign that a message is a test of, and what its links begin with. */
export type TestedCampaign = PlannedCampaign & { readonly publicUrl: string };

/** How a message is composed beside what it says. */
export interface Composition {
  /** A test: composed as the campaign's own messages are, without tracking. */
  readonly testOf?: TestedCampaign | undefined;
  readonly own?: KeptFields | undefined;
  readonly missingVariables?: 'empty' | undefined;
  /** What the link begins with by which its recipients leave its stream; absent where the message has no such link. */
  readonly unsubscribeFrom?: string | undefined;
}

/** What a message keeps as its content. */
export type StoredContent = Content & Composition;

/** A message's content apart from how it is composed. */
export function contentOf({ content }: TransactionalMessage): { content: Content; composition: Composition } {
  const { testOf, own, missingVariables, unsubscribeFrom, ...rest } = content as StoredContent;
  return { content: rest, composition: { testOf, own, missingVariables, unsubscribeFrom } };
}

/** The author whose address its header names, and its return path. */
export function authorOf(message: TransactionalMessage): string {
  const { content, composition } = contentOf(message);
  return (composition.own?.author ?? content.author).address;
}

export const planContext = (project: Project, variables: Variables, { testOf, missingVariables }: Composition): PlanContext =>
  missingVariables === undefined
    ? messagePlanContext(project, variables, testOf)
    : { ...messagePlanContext(project, {}, testOf), missingVariables };

/** `subscriber` is the first recipient, as in a campaign; what the caller gave is an attribute, too. */
export const variablesFor = ({ recipient, variables }: TransactionalMessage, own: KeptFields | undefined): Variables => ({
  subscriber: { email: own?.to[0]?.address ?? recipient.address, attributes: variables },
  ...variables,
});
