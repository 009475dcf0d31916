/** The author of a message, or the address for replies: a display name and an address already parsed at the border. */
export interface Mailbox {
  readonly name?: string | undefined;
  readonly address: string;
}

export type ContentKind = 'mjml' | 'html' | 'markdown' | 'text';

/**
 * What is said: the source of a campaign, template or transactional message before anything is rendered. Everything a
 * person may write in Liquid (`subject`, `preheader`, `source`, `text`) is Liquid; nothing else is.
 */
export interface Content {
  readonly kind: ContentKind;
  readonly source: string;
  /** The plain-text part. Absent: made from the HTML. Ignored for kind `text`. */
  readonly text?: string | undefined;
  readonly subject: string;
  readonly preheader?: string | undefined;
  readonly author: Mailbox;
  readonly replyTo?: Mailbox | undefined;
  /** Further header fields; names and values checked against injection before they get here. */
  readonly headers: Readonly<Record<string, string>>;
  /** Values for variables that a recipient may lack: `{ first_name: 'friend' }`. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** `project`: the project's footer is appended where unsubscribe link or postal address is missing. */
  readonly footer: 'project' | 'none';
  /** `default`: Markdown, and HTML that is no whole document, is shown in one column with pennypost's type and colours. */
  readonly layout: 'default' | 'none';
}
