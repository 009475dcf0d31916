import { z } from '@hono/zod-openapi';
import { MOMENT_PATTERN, type Moment, parseMoment } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';

/** Kinds of things that have ids in the API; the isolation test finds every place where one may be named by `x-object`. */
export type ObjectKind = 'list' | 'subscriber' | 'import' | 'template' | 'campaign' | 'message' | 'key';

/** The id of an object of the caller's own project, in a request. Anything else answers as if it did not exist. */
export function idOf(kind: ObjectKind) {
  return z
    .guid()
    .transform((text) => text.toLowerCase())
    .openapi({ type: 'string', format: 'uuid', 'x-object': kind, example: EXAMPLE_ID });
}

const EXAMPLE_ID = '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b';

/** An id in an answer. */
export const id = z.string().openapi({ format: 'uuid', example: EXAMPLE_ID });

/** A point in time in an answer: RFC 3339 in UTC, with milliseconds. */
export const timestamp = z.date().openapi({ type: 'string', format: 'date-time', example: '2026-11-22T10:00:00.000Z' });

/** The same, or null for what has not happened. */
export const timestampOrNull = z
  .date()
  .nullish()
  .transform((time) => time ?? null)
  .openapi({ type: ['string', 'null'], format: 'date-time', example: '2026-11-22T10:00:00.000Z' });

/** A value that may be missing inside and is null in an answer, so that an object always has all its fields. */
export function orNull<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform((value) => value ?? null);
}

/** A point in time in a request: what the command line takes as well. Local times are in the project's zone: `time.in(zone)`. */
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
    pattern: MOMENT_PATTERN.source,
    description: "RFC 3339, or a local time: in the zone that is named behind it, else in the project's. Years 1900 to 9998.",
    examples: ['2026-11-22T10:00:00Z', '2026-11-22 10:00', '2026-11-22 10:00 Europe/Berlin', '2026-11-22'],
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
    .pipe(z.array(z.guid()).min(1).max(100))
    .openapi({ type: 'string', description: 'Ids, separated by commas.', 'x-object': kind, example: EXAMPLE_ID });
}

/** An object of names and JSON values, checked further inside. */
export const jsonObject = z.record(z.string(), z.unknown()).openapi({ type: 'object', additionalProperties: true });

/** How we know of a person's will; `evidenceIn` makes its time one of the project's zone. */
export const evidenceSchema = z.strictObject({
  source: z.string().openapi({ description: 'Where it was said.', example: 'signup form /spring' }),
  ip: z.string().optional(),
  userAgent: z.string().optional(),
  text: z.string().optional().openapi({ description: 'The words that the person agreed to.' }),
  textVersion: z.string().optional(),
  at: moment.optional().openapi({ description: 'Default: now.' }),
});

/** Evidence as the verbs take it. */
export function evidenceIn<Given extends { readonly at?: Moment | undefined }>(timeZone: string, evidence: Given | undefined) {
  return evidence === undefined ? undefined : { ...evidence, at: evidence.at?.in(timeZone) };
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
  cursor: z.string().max(2000).optional().openapi({ description: 'The `next` of the page before; opaque.' }),
});

/** The query as the application's verbs take it. */
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

/** The fields that a change really names: to the verbs, a field that is there and undefined would be another thing. */
export function named<Fields extends object>(fields: Fields) {
  type Named = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Named;
}
