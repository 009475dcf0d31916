import { z } from '@hono/zod-openapi';
import type { SendInput } from '../../../application/application.ts';
import { InvalidInput } from '../../../domain/shared/errors.ts';
import { escapePointer } from '../request-body.ts';
import { email, inline, jsonObject, line, moment, namedTemplate, slug } from '../schemas.ts';
import { contentInput, headersInput } from './content.ts';

export const stream = slug.openapi({
  description: 'Named class of mail, such as `receipts`. A suppression with the scope `stream:receipts` stops it alone.',
  example: 'receipts',
});
export const tag = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,64}$/, 'A tag is 1 to 64 of letters, digits and . _ : -')
  .openapi({ example: 'order' });

const one = z.union([
  z.string().min(3).max(1_000).openapi({ description: 'An address, alone or as `Ada Lee <ada@example.com>`.' }),
  z.strictObject({ name: inline(320).optional(), address: email }),
]);
const several = z.union([...one.options, z.array(one).max(50)], {
  error: 'One recipient is expected, or a list of at most 50: "Ada Lee <ada@example.com>" or {"name": ..., "address": ...}',
});

/** A message as a caller gives it. */
export const messageInput = z
  .strictObject({
    to: several.openapi({ description: 'One recipient or several; `to`, `cc` and `bcc` are 50 together.' }),
    cc: several.optional(),
    bcc: several.optional().openapi({ description: 'They get the message, and no header names them.' }),
    from: one.optional().openapi({ description: 'In place of the author of the content.' }),
    replyTo: one.optional(),
    headers: headersInput.optional(),
    attachments: z
      .array(
        z.strictObject({
          name: line(300).openapi({ description: 'File name, without directories.' }),
          type: line(200).openapi({ description: 'Content type.', example: 'application/pdf' }),
          content: z.string().min(4).openapi({ format: 'byte', description: 'Base64. 5 MB a file, 7 MB together.' }),
          contentId: line(200).optional().openapi({ description: 'Makes it an inline image: `<img src="cid:...">` shows it.' }),
        }),
      )
      .max(20)
      .optional(),
    template: namedTemplate.optional(),
    content: contentInput.optional(),
    variables: jsonObject.optional(),
    stream: stream.optional(),
    tags: z.array(tag).max(10).optional(),
    metadata: jsonObject.optional().openapi({ description: 'Kept with the message and given back with it; 4 kB at most.' }),
    unsubscribe: z.boolean().optional().openapi({
      default: false,
      description:
        'Lets its recipients leave its stream by one click: `List-Unsubscribe`, and `{{ unsubscribe_url }}` in the content.',
    }),
    sendAt: moment.optional().openapi({ description: 'Not to be sent before. A time that has passed means at once.' }),
    missingVariables: z.enum(['refuse', 'empty']).optional().openapi({
      default: 'refuse',
      description: 'What becomes of a variable that the content prints and that has neither a value nor a default.',
    }),
  })
  .openapi('MessageInput');

/** Times without a zone are in the project's. */
export const toSendInput = ({ sendAt, ...body }: z.output<typeof messageInput>, timeZone: string): SendInput => ({
  ...body,
  sendAt: sendAt?.in(timeZone, new Date()),
});

/** One message of a batch, or what is wrong with it: the others are accepted all the same. */
export function batchedInput(given: unknown, at: number, timeZone: string): SendInput | InvalidInput {
  const parsed = messageInput.safeParse(given);
  if (parsed.success) return toSendInput(parsed.data, timeZone);
  const [issue] = parsed.error.issues;
  const path = [...(issue?.path ?? []), ...(issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [])];
  const pointer = path.map((step) => `/${escapePointer(String(step))}`).join('');
  const message = issue?.code === 'unrecognized_keys' ? 'Unknown field' : (issue?.message ?? 'The message is invalid');
  return new InvalidInput(message, `/messages/${at}${pointer}`);
}
