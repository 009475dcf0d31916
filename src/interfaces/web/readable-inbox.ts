/** What the pages of the development inbox need from it. */
export interface ReadableInbox {
  /** `smtp://127.0.0.1:2525` */
  readonly url: string;
  /** All messages received so far, kept or not. */
  received(): number;
  /** Distinct recipients of all messages received so far, kept or not. */
  recipients(): number;
  list(request: InboxListRequest): InboxList;
  /** Undefined when there is no such message, or no longer. */
  get(id: string): Promise<InboxMessage | undefined>;
  /** The message as it came over the wire. */
  raw(id: string): Uint8Array | undefined;
  clear(): void;
}

interface InboxListRequest {
  readonly limit?: number | undefined;
  /** Only messages older than this id. */
  readonly after?: string | undefined;
  readonly search?: string | undefined;
}

/** Newest first; `next` is the `after` of the following page. */
export interface InboxList {
  readonly items: readonly InboxSummary[];
  readonly next: string | undefined;
}

export interface InboxSummary {
  readonly id: string;
  readonly receivedAt: Date;
  /** Envelope recipients. */
  readonly to: readonly string[];
  readonly from: { readonly name: string; readonly address: string };
  readonly subject: string;
  /** Octets. */
  readonly size: number;
}

/** A message taken apart. All of it came from outside. */
export interface InboxMessage {
  readonly id: string;
  readonly receivedAt: Date;
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
  readonly size: number;
  readonly subject: string;
  readonly from: string;
  readonly to: string;
  readonly date: Date | undefined;
  readonly messageId: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly html: string | undefined;
  readonly text: string | undefined;
  readonly links: readonly { readonly url: string; readonly label: string }[];
  readonly attachments: readonly {
    readonly name: string;
    readonly type: string;
    readonly size: number;
    readonly content: Uint8Array;
  }[];
}
