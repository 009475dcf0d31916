/**
 * Campaign: content, audience and time of mailings.
 *
 * It owns templates, campaigns and their state machine, and the port to rendering. A campaign is edited as a draft; launch
 * freezes its content (MJML turned into HTML, links numbered) into a *mailing*, which is what delivery sends, and from then on
 * nothing that is edited elsewhere changes it. A campaign has one mailing today; reports and steps of a campaign cover all
 * its mailings (`mailings.of`).
 *
 * Promises: a campaign is launched once, however often it is asked for; content that cannot be rendered is refused before launch
 * with the line at fault. Not promised: that a launched campaign can be edited; cancel it and send another.
 *
 * Follows RFC 5322 (header fields), RFC 2369 and RFC 8058 (what marketing mail must carry).
 */
export {
  Campaign,
  type CampaignFacts,
  CampaignNotEditable,
  CampaignSlugTaken,
  type CampaignState,
  CampaignTransitionRefused,
} from './campaign.ts';
export { type CampaignInput, CampaignService } from './campaign-service.ts';
export type { CampaignFilter, CampaignStore, ListUse } from './campaign-store.ts';
export type { NewTemplate } from './campaign-templates.ts';
export type { Content, ContentKind, Mailbox } from './content.ts';
export { type ContentInput, parseContent, parseHeaders, parseMailbox } from './content-input.ts';
export { headerFaults } from './header-fields.ts';
export type { FrozenContent, Mailing, MailingLink, MailingStore } from './mailing.ts';
export {
  type AssembledParts,
  type ComposedMessage,
  ContentInvalid,
  type ContentProblem,
  type FinalContent,
  type MessageFile,
  type MessagePlan,
  type OwnFields,
  type PlacedLink,
  type PlanContext,
  type PlanLink,
  type PlanRecipient,
  type RenderedMessage,
  type Renderer,
  RenderFailed,
} from './renderer.ts';
export { Template, TemplateSlugTaken } from './template.ts';
export type { ListedTemplate, TemplateStore } from './template-store.ts';
