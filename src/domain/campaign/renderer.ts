import { DomainError } from '../shared/errors.ts';
import type { Content, Mailbox } from './content.ts';

/** A fault in content, found before launch: which part, where in it, what to do. */
export interface ContentProblem {
  readonly severity: 'error' | 'warning';
  /** `template.syntax`, `template.unknown_variable`, `mjml.invalid`, `line.too_long`, `link.unsafe`, ... */
  readonly code: string;
  /** `settings`: the content is fine, the instance is not set up to send it. */
  readonly part: 'source' | 'subject' | 'preheader' | 'text' | 'headers' | 'settings';
  /** 1-based, in the part as the author wrote it. */
  readonly line?: number | undefined;
  readonly message: string;
}

/** What is the same for every message of one compiled plan. */
export interface PlanContext {
  /** `marketing` gets List-Unsubscribe, List-Id, Precedence and the footer rule; `transactional` gets Auto-Submitted. */
  readonly stream: 'marketing' | 'transactional';
  readonly project: { readonly name: string; readonly postalAddress: string; readonly senderDomain: string };
  /** Values under `campaign.` in Liquid, e.g. `{ id, name }`. */
  readonly campaign: Readonly<Record<string, string>>;
  /** Names of variables that every message of the plan brings along, so that they need no default. */
  readonly variables?: readonly string[] | undefined;
  /** `empty`: a variable without value and default prints nothing. Default: content that prints one is invalid. */
  readonly missingVariables?: 'empty' | undefined;
  /** Complete, already valid header lines without CRLF that do not vary by recipient (List-Id, Feedback-ID, Precedence). */
  readonly staticHeaders: readonly string[];
  /** Absent: links stay as written, no pixel (transactional without tracking, previews). */
  readonly tracking?:
    | {
        /** `https://t.example.com`, without a slash at its end. */
        readonly baseUrl: string;
        /** The link token for a target, e.g. `AgAB...`; called once per static link at compile time, per message for a target with merge values. */
        linkToken(index: number, target: string): string;
        readonly openPixel: boolean;
        /** False: links stay as written. */
        readonly clicks: boolean;
      }
    | undefined;
}

/** A link in a plan; its index is stable for the same content. */
export interface PlanLink {
  readonly index: number;
  /** As written, Liquid included; that is how reports name it. */
  readonly target: string;
}

/** What differs from message to message. */
export interface PlanRecipient {
  readonly address: string;
  readonly smtputf8: boolean;
  /** Liquid variables: attributes at the top level, plus `subscriber` = { id, email, locale, attributes }. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Without angle brackets: `<left>@<domain>`. */
  readonly messageId: string;
  readonly date: Date;
  /** Token strings for `/c/<clickToken>/<linkToken>`, `/o/<openToken>`, `/u/<unsubscribeToken>`; empty when the plan tracks nothing. */
  readonly clickToken: string;
  readonly openToken: string;
  /** Complete https URL of the one-click unsubscribe for this message; empty where it has none. */
  readonly unsubscribeUrl: string;
  /** What this message says in its header beside its plan, and its files. Absent: To is the recipient alone. */
  readonly own?: OwnFields | undefined;
}

/** Header fields of one message; a plan is compiled without them, so that messages that differ in them share it. */
export interface OwnFields {
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  /** In place of the content's. */
  readonly author?: Mailbox | undefined;
  readonly replyTo?: Mailbox | undefined;
  /** Beside the content's; one of the same name replaces it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly files: readonly MessageFile[];
}

/** A file that a message carries, checked before. */
export interface MessageFile {
  readonly name: string;
  /** `type/subtype`, with parameters where there are any. */
  readonly type: string;
  /** The HTML shows it as `cid:<contentId>`. Absent: an attachment. */
  readonly contentId?: string | undefined;
  readonly bytes: Uint8Array;
}

/** What a preview shows. */
export interface RenderedMessage {
  readonly subject: string;
  readonly preheader: string;
  readonly html: string | undefined;
  readonly text: string;
}

/** A place in a template where a link target stands; the tag `{% pennypost_link n %}` points at it by position in a list. */
export interface PlacedLink {
  /** As it stood in the template: entities and quotes kept. */
  readonly written: string;
  /** Entities decoded; may hold Liquid. */
  readonly target: string;
  readonly dynamic: boolean;
  /** Position in the plan's list of links; absent for a link that is not tracked. */
  readonly index?: number | undefined;
}

/** Templates of both parts with links, preheader, footer and pixel in them. Plain data: it is stored with a launched campaign. */
export interface AssembledParts {
  readonly html?: string | undefined;
  readonly text: string;
  readonly slots: readonly PlacedLink[];
  readonly links: readonly PlanLink[];
}

/** What a launch fixes: the content in its final form and its parts, assembled once for all sending processes. */
export interface FinalContent {
  readonly content: Content;
  readonly parts: AssembledParts;
}

/** Content compiled once; composes one message per recipient. */
export interface MessagePlan {
  readonly links: readonly PlanLink[];
  /**
   * The whole message as it stands between DATA and the final dot: CRLF line ends, ends with CRLF, not dot-stuffed, every
   * line 998 octets or shorter. The bytes are valid until `release` is called; `release` gives the buffer back for reuse.
   * @throws RenderFailed when this recipient's data break the template.
   */
  compose(recipient: PlanRecipient): ComposedMessage;
}

export interface ComposedMessage {
  readonly bytes: Uint8Array;
  release(): void;
}

/**
 * Turns content into plans. Content may be hostile: reading it takes a bounded time and memory, keeps no other work of the
 * process waiting, and must not happen inside a transaction. Content that takes more counts as invalid.
 */
export interface Renderer {
  /** Everything wrong with the content; empty when it may be launched (warnings aside). Never throws for bad content. */
  check(content: Content, context: PlanContext): Promise<readonly ContentProblem[]>;
  /**
   * Turns MJML and Markdown into HTML, in its layout, and assembles the parts; Liquid stays as written. Whole HTML documents and
   * text come back as they are.
   * @throws ContentInvalid when `check` would report an error.
   */
  freeze(content: Content, context: PlanContext): Promise<FinalContent>;
  /** The plan of what `freeze` returned in the same context: nothing is examined again, so a sending process loads no parser. */
  compileFrozen(frozen: FinalContent, context: PlanContext): MessagePlan;
  /**
   * The same content in the same context without tracking is compiled once.
   * @throws ContentInvalid when `check` would report an error.
   */
  compile(content: Content, context: PlanContext): Promise<MessagePlan>;
  /** What one recipient would see. @throws ContentInvalid, RenderFailed */
  preview(content: Content, context: PlanContext, recipient: PlanRecipient): Promise<RenderedMessage>;
  /**
   * Composes a message for each of these recipients, the first of them only when it takes long.
   * @returns one answer for each that was tried: undefined, or what is wrong with their data
   * @throws ContentInvalid
   */
  faults(content: Content, context: PlanContext, people: readonly PlanRecipient[]): Promise<readonly (string | undefined)[]>;
}

export class ContentInvalid extends DomainError {
  readonly code = 'content.invalid';
  readonly kind = 'invalid';
  readonly problems: readonly ContentProblem[];
  constructor(problems: readonly ContentProblem[]) {
    const first = problems.find((problem) => problem.severity === 'error') ?? problems[0];
    const where = first?.line === undefined ? (first?.part ?? 'source') : `${first.part}, line ${first.line}`;
    super(`The content cannot be sent: ${first?.message ?? 'unknown problem'} (${where}).`, '/content');
    this.problems = problems;
  }
}

/** One recipient's data break the template; ends that message as `failed` and never the campaign. */
export class RenderFailed extends DomainError {
  readonly code = 'content.render_failed';
  readonly kind = 'invalid';
}
