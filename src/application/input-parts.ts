/** What inputs of verbs are made of. */
import { z } from 'zod';
import type { ContentInput } from '../domain/campaign/index.ts';
import { isId } from '../domain/shared/ids.ts';
import type { PageRequest } from '../domain/shared/page.ts';

/** An object that has these properties and no others; the compiler sees to it that none of the type is forgotten. */
export const strict = <T extends object>(fields: { readonly [Name in keyof Required<T>]: z.ZodType }) => z.strictObject(fields);

/** An id of this kind. An invalid id names nothing, like an unknown one. */
export const id = (what: string) =>
  z.unknown().transform((value, context) => {
    if (typeof value === 'string' && isId(value)) return value.toLowerCase();
    context.addIssue({ code: 'custom', params: { missing: what }, message: `This is not the id of a ${what}.` });
    return z.NEVER;
  });

/** A text that a column can hold. Texts that are cleaned further inside (attributes, variables, content) need no more than be one. */
export const text = z
  .string()
  .refine((value) => value.isWellFormed() && !value.includes('\0'), 'It contains a NUL character or half a surrogate pair.');
/** A name (an id, a slug, an address, a name) that the verb looks up. */
export const named = (what: string) =>
  z.unknown().transform((value, context) => {
    if (typeof value === 'string' && value.isWellFormed() && !value.includes('\0')) return value;
    context.addIssue({ code: 'custom', params: { missing: what }, message: `This names no ${what}.` });
    return z.NEVER;
  });
export const allNamed = (what: string) => z.array(named(what)).readonly();
export const flag = z.boolean().optional();
/** Databases and ISO 8601 part ways before and after these years. */
export const time = z
  .date('A valid Date is expected.')
  .refine((date) => date.getUTCFullYear() >= 1900 && date.getUTCFullYear() < 9999, 'A time from 1900 to 9998 is expected.');
export const json = z.custom<object>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'An object such as { first_name: "Ada" } is expected.',
);
export const texts = z.record(text, text);
export const anything = z.unknown();

export const project = id('project');
export const pageFields = {
  limit: z.int('A whole number from 1 to 500 is expected.').min(1).max(500).optional(),
  after: z.string().max(2_000).optional(),
};
export const page = strict<PageRequest>(pageFields).optional();

export const mailbox = strict<ContentInput['author']>({ name: z.string().optional(), address: z.string() });
export const content = strict<ContentInput>({
  kind: z.enum(['mjml', 'html', 'markdown', 'text']),
  source: z.string(),
  text: z.string().optional(),
  subject: z.string(),
  preheader: z.string().optional(),
  author: mailbox,
  replyTo: mailbox.optional(),
  headers: z.record(z.string(), z.string()).optional(),
  defaults: json.optional(),
  footer: z.enum(['project', 'none']).optional(),
  layout: z.enum(['default', 'none']).optional(),
});
