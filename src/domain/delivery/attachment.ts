import { hasControl } from '../shared/control-characters.ts';
import { InvalidInput } from '../shared/errors.ts';

/** A file as a caller gives it: always its content, never a path or a URL. */
export interface AttachmentInput {
  /** File name, 1 to 300 characters, without directories. */
  readonly name: string;
  /** `type/subtype`, with parameters where needed: `text/calendar; method=REQUEST`. */
  readonly type: string;
  /** Base64 (RFC 4648 section 4). */
  readonly content: string;
  /** Makes it an inline image: the HTML shows it as `<img src="cid:...">` with this id. */
  readonly contentId?: string | undefined;
}

/** A file of a stored message. */
export interface Attachment {
  readonly name: string;
  readonly type: string;
  readonly contentId: string | undefined;
  readonly bytes: Uint8Array;
}

/** Base64 makes 4/3 of it, and common servers refuse messages from 10 MB. */
export const ATTACHMENT_LIMITS = { files: 20, fileBytes: 5_000_000, messageBytes: 7_000_000, nameCharacters: 300 } as const;

/** RFC 2045 section 5.1. A file that is itself multipart or a message may not be base64 (RFC 2046 sections 5.1 and 5.2.1). */
const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,100}";
const TYPE = new RegExp(`^(?!multipart/|message/)${TOKEN}/${TOKEN}(?:; ?${TOKEN}=${TOKEN})*$`, 'i');
const CONTENT_ID = /^[A-Za-z0-9._%+@-]{1,200}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** They turn the order of letters: `invoice\u202efdp.exe` is shown as `invoiceexe.pdf`. */
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
/** Programs; large receivers refuse every message with one of them. */
const PROGRAMS = new Set(
  `ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab dll dmg exe hta img ins iso isp jar jnlp js jse lib lnk mde mjs msc msi msix
  msixbundle msp mst nsh pif ps1 scr sct shb sys vb vbe vbs vhd vxd wsc wsf wsh xll`.split(/\s+/),
);

/** @throws InvalidInput with a pointer to the file and field at fault */
export function parseAttachments(given: readonly AttachmentInput[], pointer = '/attachments'): readonly Attachment[] {
  const { files, messageBytes } = ATTACHMENT_LIMITS;
  if (given.length > files) throw new InvalidInput(`A message has at most ${files} files; these are ${given.length}.`, pointer);
  const parsed = given.map((file, index) => parseAttachment(file, `${pointer}/${index}`));
  const bytes = parsed.reduce((sum, file) => sum + file.bytes.length, 0);
  if (bytes > messageBytes)
    throw new InvalidInput(
      `The files have ${inMegabytes(bytes)} together; a message takes ${inMegabytes(messageBytes)}.`,
      pointer,
    );
  const ids = parsed.flatMap((file) => file.contentId ?? []);
  const twice = ids.findIndex((id, index) => ids.indexOf(id) !== index);
  if (twice >= 0) throw new InvalidInput(`Two files have the contentId "${ids[twice]}".`, pointer);
  return parsed;
}

function parseAttachment(file: AttachmentInput, pointer: string): Attachment {
  const name = parseFileName(file.name, `${pointer}/name`);
  if (!TYPE.test(file.type))
    throw new InvalidInput('A content type is expected, such as application/pdf or image/png.', `${pointer}/type`);
  if (file.contentId !== undefined && !CONTENT_ID.test(file.contentId))
    throw new InvalidInput('A contentId is 1 to 200 of letters, digits and . _ % + @ -.', `${pointer}/contentId`);
  return { name, type: file.type, contentId: file.contentId, bytes: parseBase64(file.content, `${pointer}/content`) };
}

function parseFileName(name: string, pointer: string): string {
  const { nameCharacters } = ATTACHMENT_LIMITS;
  const refuse = (message: string): InvalidInput => new InvalidInput(message, pointer);
  if (name.trim() === '' || name === '.' || name === '..') throw refuse('A file needs a name, such as invoice.pdf.');
  if (name.length > nameCharacters) throw refuse(`The file name has ${name.length} characters; ${nameCharacters} is the limit.`);
  if (hasControl(name)) throw refuse('The file name contains a line break or control character.');
  if (/[/\\]/.test(name)) throw refuse('The file name contains a slash or backslash. Give the name without its directory.');
  if (TURNS.test(name)) throw refuse('The file name contains a character that changes the direction of writing.');
  const ending = /\.([^.]+)[. ]*$/.exec(name)?.[1]?.toLowerCase() ?? '';
  if (PROGRAMS.has(ending.trim()))
    throw refuse(`Files that end in .${ending.trim()} are programs: receivers refuse messages with them.`);
  return name.toWellFormed();
}

function parseBase64(text: string, pointer: string): Uint8Array {
  const { fileBytes } = ATTACHMENT_LIMITS;
  if (text.length > Math.ceil(fileBytes / 3) * 4 || Buffer.byteLength(text, 'base64') > fileBytes)
    throw new InvalidInput(`The file is larger than ${inMegabytes(fileBytes)}.`, pointer);
  const bytes = BASE64.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : undefined;
  if (bytes === undefined || bytes.toString('base64') !== text)
    throw new InvalidInput('The content of a file is base64 (RFC 4648 section 4), on one line and with its padding.', pointer);
  if (bytes.length === 0) throw new InvalidInput('The file is empty.', pointer);
  return bytes;
}

const inMegabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1).replace(/\.0$/, '')} MB`;
