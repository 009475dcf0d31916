import { z } from '@hono/zod-openapi';
import { email, filled, inline, jsonObject, line, lines } from '../schemas.ts';

/** A source may have 1,000,000 characters of up to three bytes, and JSON escapes what it quotes. */
export const CONTENT_BODY_BYTES = 8 * 1024 * 1024;

/** Further header fields; those that pennypost writes itself are refused with their name. */
export const headersInput = z.record(z.string(), z.string()).openapi({
  type: 'object',
  maxProperties: 50,
  propertyNames: { type: 'string', pattern: '^[A-Za-z0-9][!-9;-~]{0,75}$' },
  additionalProperties: { type: 'string', maxLength: 900, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$' },
  description:
    'Further headers, except those that pennypost writes, such as From, To, Subject, Date, Message-ID and List-Unsubscribe.',
  example: { 'X-Shop': 'Oslo' },
} as object);

const mailbox = z.strictObject({ name: inline(320).optional(), address: email });

/** Content as a caller gives it; `subject`, `preheader`, `source` and `text` are Liquid. */
export const contentInput = z
  .strictObject({
    kind: z.enum(['mjml', 'html', 'markdown', 'text']),
    source: filled(1_000_000),
    text: lines(250_000).optional().openapi({ description: 'The plain-text part. Default: made from the HTML.' }),
    subject: line(2_000),
    preheader: lines(2_000).optional(),
    author: mailbox.openapi({ description: 'The From: address that recipients see.' }),
    replyTo: mailbox.optional(),
    headers: headersInput.optional(),
    defaults: jsonObject.optional().openapi({ description: 'Values for variables that a recipient may lack.' }),
    footer: z.enum(['project', 'none']).optional().openapi({ default: 'project' }),
    layout: z.enum(['default', 'none']).optional().openapi({
      default: 'default',
      description: 'Whether Markdown, and HTML that is not a whole document, is put into the default layout.',
    }),
  })
  .openapi('ContentInput');

const knownMailbox = z.object({ name: z.string().optional(), address: z.string() });

/** Content as it is kept. */
export const contentSchema = z
  .object({
    kind: z.enum(['mjml', 'html', 'markdown', 'text']),
    source: z.string(),
    text: z.string().optional(),
    subject: z.string(),
    preheader: z.string().optional(),
    author: knownMailbox,
    replyTo: knownMailbox.optional(),
    headers: z.record(z.string(), z.string()),
    defaults: jsonObject,
    footer: z.enum(['project', 'none']),
    layout: z.enum(['default', 'none']),
  })
  .openapi('Content');

export const contentExample = {
  kind: 'html',
  subject: 'Hello {{ first_name }}',
  source: '<p>Hello {{ first_name }}, <a href="https://example.com/news">read on</a>.</p>',
  author: { name: 'Example', address: 'news@example.com' },
  defaults: { first_name: 'friend' },
} as const;

/** A fault in content: which part, where in it, what to do. */
export const problemSchema = z
  .object({
    severity: z.enum(['error', 'warning']),
    code: z.string(),
    part: z.enum(['source', 'subject', 'preheader', 'text', 'headers', 'settings']),
    line: z.int().optional(),
    message: z.string(),
  })
  .openapi('ContentProblem');

export const renderedSchema = z
  .object({ subject: z.string(), preheader: z.string(), html: z.string().optional(), text: z.string() })
  .openapi('RenderedMessage');
