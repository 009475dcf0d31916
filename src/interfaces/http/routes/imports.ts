import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { declaredType, isStorable, UNSTORABLE } from '../request-body.ts';
import { type Route, routesOf } from '../route.ts';
import { flag, id, idOf, idsOf, orNull, pageOf, pageOfItems, pageQuery, timestamp, timestampOrNull } from '../schemas.ts';

const route = routesOf<Application>();

const importAs = ['subscribed', 'unsubscribed', 'suppressed', 'stated'] as const;

const importSchema = z
  .object({
    id,
    state: z.enum(['running', 'done', 'failed']),
    dryRun: z.boolean(),
    fileName: guarded('import.fileName', orNull(z.string())),
    listIds: z.array(id).readonly(),
    as: orNull(z.enum(importAs)).openapi({
      description: 'How subscribers that left elsewhere were imported; null when the request did not say.',
    }),
    columns: guarded('import.columns', orNull(z.array(z.string()).readonly()), 'Null for JSON Lines.'),
    encoding: orNull(z.string()).openapi({
      description:
        'The encoding of the file, stated or detected, such as `utf-8` or `windows-1252`; null until the file was read.',
    }),
    warnings: guarded(
      'import.warnings',
      z
        .array(
          z
            .object({ column: orNull(z.string()), message: z.string(), rows: orNull(z.int()), line: orNull(z.int()) })
            .openapi('ImportWarning'),
        )
        .readonly(),
      'Problems that did not stop the import: one entry for each column and kind, with the rows and the first line.',
    ),
    totals: z
      .object({
        rows: z.int(),
        imported: z.int(),
        created: z.int(),
        updated: z.int(),
        duplicates: z.int(),
        rejected: z.int(),
        protected: z.int(),
      })
      .openapi({ description: 'rows = imported + duplicates + rejected + protected; imported = created + updated.' }),
    failure: guarded('import.failure', orNull(z.string())),
    createdAt: timestamp,
    endedAt: timestampOrNull,
  })
  .openapi('Import');
const params = z.object({ importId: idOf('import') });

/** In the query, because the body is the file. */
const options = z
  .strictObject({
    lists: idsOf('list').optional().openapi({ description: 'Lists that all imported subscribers join.' }),
    as: z.enum(importAs).optional().openapi({
      description:
        'How the subscribers in the file are imported. `subscribed`: they join the lists, whatever the file says. `unsubscribed`: they have left the lists, or all marketing without `lists`. `suppressed`: they get no campaigns. `stated`: each row as the file says. By default they join, and a file with subscribers that left elsewhere is refused with `import.people_left`.',
    }),
    dryRun: flag.optional().openapi({ description: 'Validates the file and reports; changes nothing.' }),
    consentSource: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .openapi({ description: 'Where all subscribers in the file agreed. Also confirms them on double opt-in lists.' }),
    consentText: z.string().max(10_000).optional().openapi({ description: 'Wording of the consent; needs `consentSource`.' }),
    map: z
      .string()
      .transform(parsedJson)
      .pipe(
        z.record(z.string(), z.string(), 'A JSON object of column names and targets is expected: {"E-Mail":"email","Note":"-"}'),
      )
      .refine((map) => Object.entries(map).flat().every(isStorable), UNSTORABLE)
      .optional()
      .openapi({
        type: 'string',
        description:
          'A JSON object: column (name, or position from 1) to `email`, `locale`, `time_zone`, an attribute, or `-` to ignore it.',
      }),
    encoding: z.string().max(40).optional().openapi({
      description:
        'A label such as `windows-1252`. Default: the charset of the Content-Type unless that is UTF-8, otherwise detected. An unclear encoding is refused. A byte order mark overrides it.',
    }),
    delimiter: z.string().max(3).optional().openapi({ description: 'One character, or `tab`. Default: detected.' }),
    fileName: z.string().max(300).optional(),
  })
  .refine((query) => query.consentText === undefined || query.consentSource !== undefined, {
    path: ['consentSource'],
    message: 'A consent text needs its source',
  });

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Of the Content-Type. Many clients add UTF-8 to whatever they send, so that says nothing. */
function statedCharset(request: Request): string | undefined {
  const charset = /;\s*charset="?([^\s;"]+)/i.exec(request.headers.get('content-type') ?? '')?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset) ? undefined : charset;
}

export const importRoutes: readonly Route<Application>[] = [
  route({
    verb: 'imports.create',
    method: 'post',
    path: '/v1/imports',
    summary: 'Import subscribers from a file',
    description: 'The body is the file, which is streamed. The answer comes when the import has ended.',
    permission: 'audience.write',
    query: options,
    upload: { types: ['text/csv', 'text/tab-separated-values', 'application/x-ndjson', 'application/jsonl'] },
    reply: importSchema,
    handle({ application, projectId, query, upload, request }) {
      const { lists = [], consentSource, consentText, ...rest } = query;
      const type = declaredType(request);
      const format = type.startsWith('text/') ? 'csv' : 'jsonl';
      const tab = type === 'text/tab-separated-values' ? { delimiter: 'tab' } : {};
      const consent = consentSource === undefined ? undefined : { source: consentSource, text: consentText };
      return application.imports.create(projectId, upload, {
        encoding: statedCharset(request),
        ...tab,
        ...rest,
        lists,
        consent,
        format,
      });
    },
  }),
  route({
    verb: 'imports.list',
    method: 'get',
    path: '/v1/imports',
    summary: 'List imports, newest first',
    permission: 'audience.read',
    query: pageQuery,
    reply: pageOfItems(importSchema),
    handle: ({ application, projectId, query }) => application.imports.list(projectId, pageOf(query)),
  }),
  route({
    verb: 'imports.get',
    method: 'get',
    path: '/v1/imports/{importId}',
    summary: 'One import',
    permission: 'audience.read',
    params,
    reply: importSchema,
    handle: ({ application, projectId, params: { importId } }) => application.imports.get(projectId, importId),
  }),
  route({
    verb: 'imports.rejections',
    method: 'get',
    path: '/v1/imports/{importId}/rejections',
    summary: 'List the rejected rows, by line',
    permission: 'audience.read',
    params,
    query: pageQuery,
    reply: pageOfItems(
      z.object({ line: z.int(), reason: z.string(), cells: z.array(z.string()).readonly() }).openapi('Rejection'),
    ),
    handle: ({ application, projectId, params: { importId }, query }) =>
      application.imports.rejections(projectId, importId, pageOf(query)),
  }),
  route({
    verb: 'imports.rejectionsCsv',
    method: 'get',
    path: '/v1/imports/{importId}/rejections.csv',
    summary: 'Download the rejected rows as CSV',
    description: 'Line, reason, then the original row. Safe to open in a spreadsheet.',
    permission: 'audience.read',
    params,
    replyType: 'text/csv',
    handle: async ({ application, projectId, params: { importId } }) => ({
      name: `rejections-${importId}.csv`,
      parts: application.imports.rejectionsCsv(projectId, importId),
    }),
  }),
];
