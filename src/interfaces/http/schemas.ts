import { z } from '@hono/zod-openapi';
import { MOMENT_PATTERN, type Moment, parseMoment } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';

/** Kinds of objects that have ids in the API. By `x-object` the isolation test finds every place that takes such an id. */
export type ObjectKind =
  | 'list'
  | 'subscriber'
  | 'import'
  | 'template'
  | 'campaign'
  | 'message'
  | 'domain'
  | 'transport'
  | 'route'
  | 'key';

/** The id of an object of the caller's own project, in a request. An id of another project is treated as unknown. */
export function idOf(kind: ObjectKind) {
  return z
    .guid('An id is expected, such as 0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b')
    .transform((text) => text.toLowerCase())
    .openapi({ type: 'string', format: 'uuid', 'x-object': kind, example: EXAMPLE_ID });
}

const idOrSlug = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[A-Za-z0-9-]+$/, 'An id or a slug is expected');

export const namedTemplate = idOrSlug.openapi({
  description: 'Id or slug of a template, in place of `content`.',
  'x-object': 'template',
  example: 'receipt',
});

export const namedTransport = idOrSlug.openapi({
  description: 'Id or slug of a transport.',
  'x-object': 'transport',
  example: 'main-relay',
});

const EXAMPLE_ID = '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b';

/** An id in an answer. */
export const id = z.string().openapi({ format: 'uuid', example: EXAMPLE_ID });

/** A point in time in an answer: RFC 3339 in UTC, with milliseconds. */
export const timestamp = z.date().openapi({ type: 'string', format: 'date-time', example: '2026-11-22T10:00:00.000Z' });

/** The same, or null when it has not happened. */
export const timestampOrNull = z
  .date()
  .nullish()
  .transform((time) => time ?? null)
  .openapi({ type: ['string', 'null'], format: 'date-time', example: '2026-11-22T10:00:00.000Z' });

/** Turns a missing value into null, so that objects in answers always have all their fields. */
export function orNull<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform((value) => value ?? null);
}

/** A point in time in a request, in the notation of the command line. Local times are in the project's zone: `time.in(zone)`. */
export const moment = z
  .string()
  .transform((text, context): Moment => {
    try {
      return parseMoment(text);
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  })
  .openapi({
    type: 'string',
    format: 'moment',
    pattern: MOMENT_PATTERN.source,
    description:
      "RFC 3339, or a local time. A time zone may follow a local time; the default is the project's. The day may be `today` or `tomorrow`. Years 1900 to 9998.",
    examples: ['2026-11-22T10:00:00Z', '2026-11-22 10:00', '2026-11-22 10:00 Europe/Berlin', 'tomorrow 9:00', '2026-11-22'],
    example: '2026-11-22T10:00:00Z',
  });

/** A day in a query: `2026-11-22`. */
export const day = z.iso.date().refine((text) => text >= '1900' && text < '9999', 'A day from 1900 to 9998 is expected');

/** `true` or `false` in a query. */
export const flag = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .openapi({ type: 'boolean' });

/** Ids separated by commas, in a query. */
export function idsOf(kind: ObjectKind) {
  return z
    .string()
    .transform((text) => text.split(',').map((id) => id.trim().toLowerCase()))
    .pipe(z.array(z.guid('An id is expected')).min(1).max(100))
    .openapi({ type: 'string', description: 'Ids, separated by commas.', 'x-object': kind, example: EXAMPLE_ID });
}

/** Characters that no line may contain: C0, DEL, C1 and line separators. As escapes, for client generators of other languages. */
export const CONTROL = '\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029';
const NUL = '\\u0000';

/** A text of one line that is not blank, such as a name. The application counts its length after trimming. */
export function line(most: number) {
  const pattern = new RegExp(`^[^${CONTROL}]*[^\\s${CONTROL}][^${CONTROL}]*$`);
  return z.string().min(1).max(most).regex(pattern, `A text of 1 to ${most} characters on one line is expected`);
}

/** A text of one line that may be empty. */
export function inline(most: number) {
  return z
    .string()
    .max(most)
    .regex(new RegExp(`^[^${CONTROL}]*$`), 'The text contains a line break or control character');
}

/** A text of any number of lines, without NUL. */
export function lines(most: number) {
  return z
    .string()
    .max(most)
    .regex(new RegExp(`^[^${NUL}]*$`), 'The text contains a NUL character');
}

/** A text that is not blank, without NUL. */
export function filled(most: number) {
  return z
    .string()
    .min(1)
    .max(most)
    .regex(new RegExp(`^[^${NUL}]*[^\\s${NUL}][^${NUL}]*$`), 'A text that is not blank is expected');
}

/** A short name for scripts. */
export const slug = z
  .string()
  .max(63)
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
    'A slug is 1 to 63 of a-z, 0-9 and hyphens, and neither starts nor ends with a hyphen',
  );

/*
 * Formats that the application parses, because its errors explain more than a failed pattern does. They are declared here, so
 * that clients know them.
 */
/** An address that can be mailed (RFC 5321, RFC 6531): without comments, quoted local parts and address literals. */
export const email = z.string().openapi({
  format: 'email',
  description:
    'One address that can be mailed: RFC 5321 and 6531, without comments, quoted local parts and address literals. `Ada Lee <ada@example.com>` is accepted too.',
  example: 'ada@example.com',
});
/** BCP 47. */
export const languageTag = z
  .string()
  .openapi({ format: 'language-tag', maxLength: 35, description: 'BCP 47.', example: 'de-AT' });
/** IANA. */
export const timeZoneName = z.string().openapi({
  format: 'time-zone',
  description: 'IANA name. Offsets are refused, because they do not follow daylight saving time.',
  example: 'Europe/Berlin',
});
/** A domain of a sender. */
export const domainName = z
  .string()
  .openapi({ format: 'idn-hostname', maxLength: 253, description: 'At least two labels.', example: 'news.example.com' });

/** Attributes of a subscriber. The domain validates them further. */
export const attributes = z.record(z.string(), z.unknown()).openapi({
  type: 'object',
  additionalProperties: true,
  maxProperties: 500,
  propertyNames: { type: 'string', minLength: 1, maxLength: 100, pattern: `^[^${CONTROL}]+$`, not: { const: '__proto__' } },
  description:
    'JSON values, nested at most 16 levels deep, at most 64 kB together. A value replaces the old one, null removes the attribute, and absent attributes stay.',
} as object);

/** An object of names and JSON values. The domain validates it further. */
export const jsonObject = z.record(z.string(), z.unknown()).openapi({ type: 'object', additionalProperties: true });

/** Evidence of a consent. `evidenceIn` resolves a local time in the project's zone. */
export const evidenceSchema = z.strictObject({
  source: filled(200).openapi({ description: 'Where the consent was given.', example: 'signup form /spring' }),
  ip: z
    .string()
    .regex(/^[0-9a-fA-F:.]{2,45}$/, 'This is not an IP address')
    .optional(),
  userAgent: z.string().optional(),
  text: z.string().max(10_000).optional().openapi({ description: 'Wording of the consent.' }),
  textVersion: z.string().optional(),
  at: moment.optional().openapi({ description: 'Not in the future. Default: now.' }),
});

/** Evidence in the form that the application takes. */
export function evidenceIn<Given extends { readonly at?: Moment | undefined }>(timeZone: string, evidence: Given | undefined) {
  return evidence === undefined ? undefined : { ...evidence, at: evidence.at?.in(timeZone, new Date()) };
}

/** The query of every listing: `limit` 1 to 500 (default 50), `cursor` = the `next` of the page before. */
export const pageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'A whole number from 1 to 500 is expected')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= 500, 'A whole number from 1 to 500 is expected')
    .optional()
    .openapi({ type: 'integer', minimum: 1, maximum: 500, default: 50 }),
  cursor: z.string().max(2000).optional().openapi({ description: 'The `next` of the previous page; opaque.' }),
});

/** The query in the form that the application takes. */
export function pageOf(query: { readonly limit?: number | undefined; readonly cursor?: string | undefined }) {
  return { limit: query.limit, after: query.cursor };
}

/** One page of a listing; without `next` it is the last. */
export function pageOfItems<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item).readonly(),
    next: z.string().optional().openapi({ description: 'Cursor of the next page; absent on the last.' }),
  });
}

/** Drops fields that are undefined: the application treats a field that is present but undefined as a change. */
export function named<Fields extends object>(fields: Fields) {
  type Named = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Named;
}
