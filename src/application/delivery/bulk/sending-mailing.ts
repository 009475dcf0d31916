import type { KeyRing } from '../../../domain/access/index.ts';
import type { RecipientFacts } from '../../../domain/audience/index.ts';
import type { Campaign, FrozenContent, Mailing, MessagePlan, PlanContext, Renderer } from '../../../domain/campaign/index.ts';
import type { Envelope, Turn } from '../../../domain/delivery/index.ts';
import type { Audience } from '../../../domain/shared/audience.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import { issueLinkToken, MessageTokens } from '../../../domain/tracking/index.ts';
import { marketingPlanContext } from '../plan-context.ts';
import { marked } from '../repeat-mark.ts';
import type { AuthorSigner, MessageSigner } from '../signing.ts';

export interface SendingMessage {
  readonly envelope: Envelope;
  readonly content: Uint8Array;
  release(): void;
}

/** A mailing as a sending process holds it: its plan compiled once, its keys derived once. */
export class SendingMailing {
  readonly projectId: Id;
  readonly mailingId: Id;
  readonly campaignId: Id;
  readonly audience: Audience;
  readonly #plan: MessagePlan;
  readonly #tokens: MessageTokens;
  readonly #from: string;
  readonly #domain: string;
  readonly #baseUrl: string;
  readonly #author: AuthorSigner;

  private constructor(
    { projectId, mailingId, campaignId }: Mailing,
    audience: Audience,
    plan: MessagePlan,
    tokens: MessageTokens,
    from: string,
    domain: string,
    baseUrl: string,
    author: AuthorSigner,
  ) {
    this.projectId = projectId;
    this.mailingId = mailingId;
    this.campaignId = campaignId;
    this.audience = audience;
    this.#plan = plan;
    this.#tokens = tokens;
    this.#from = from;
    this.#domain = domain;
    this.#baseUrl = baseUrl;
    this.#author = author;
  }

  /** @throws Error when it is signed with a key that this process does not have. */
  static async load(
    mailing: Mailing,
    campaign: Campaign,
    frozen: FrozenContent,
    renderer: Renderer,
    keys: KeyRing,
    author: AuthorSigner,
  ): Promise<SendingMailing> {
    const { projectId, mailingId } = mailing;
    const key = keys.tokenKey(projectId, frozen.keyId);
    if (key === undefined)
      throw new Error(`Campaign ${campaign.id} was launched under key ${frozen.keyId}, which this process does not have.`);
    const tokens = new MessageTokens({ projectId, mailingId, key, keyId: frozen.keyId });
    const context: PlanContext = marketingPlanContext(campaign, frozen.project, {
      baseUrl: frozen.publicUrl,
      linkToken: (index, target) => issueLinkToken({ kind: 'mailing', projectId, subjectId: mailingId, key }, index, target),
    });
    const plan = renderer.compileFrozen(frozen, context);
    return new SendingMailing(
      mailing,
      campaign.audience,
      plan,
      tokens,
      frozen.content.author.address,
      frozen.project.senderDomain,
      frozen.publicUrl,
      author,
    );
  }

  /** What signs its messages now; undefined when they go unsigned. */
  get signer(): MessageSigner | undefined {
    return this.#author.signer;
  }

  /** @throws RenderFailed when this recipient's data break the template. */
  compose(facts: RecipientFacts, turn: Turn, date: Date): SendingMessage {
    const tokens = this.#tokens.issue(facts.id);
    const message = this.#plan.compose({
      address: facts.address,
      smtputf8: facts.smtputf8,
      variables: variablesOf(facts),
      messageId: `${tokens.messageIdLeft}@${this.#domain}`,
      date,
      clickToken: tokens.click,
      openToken: tokens.open,
      unsubscribeUrl: `${this.#baseUrl}/u/${tokens.unsubscribe}`,
    });
    const envelope = { from: this.#from, to: facts.address, smtputf8: facts.smtputf8 };
    return { envelope, content: turn.possibleRepeat ? marked(message.bytes) : message.bytes, release: () => message.release() };
  }
}

/** Attributes stand at the top level, so that `{{ first_name }}` is all a marketer has to know. */
export function variablesOf(
  facts: Pick<RecipientFacts, 'id' | 'address' | 'locale' | 'attributes'>,
): Readonly<Record<string, unknown>> {
  return {
    ...facts.attributes,
    subscriber: { id: facts.id, email: facts.address, locale: facts.locale, attributes: facts.attributes },
  };
}
