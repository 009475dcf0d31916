import type { Attempt, AttemptOutcome, Fault } from './attempt.ts';
import type { ReplyReason, ReplyStage } from './reply-rule.ts';
import { REPLY_RULES } from './reply-rules.ts';

/** What an SMTP reply means for the attempt, and the row of the table that says so. */
export interface ReplyVerdict {
  readonly outcome: Exclude<AttemptOutcome, 'in_doubt'>;
  readonly fault: Fault;
  readonly reason: ReplyReason;
  readonly rule: string;
}

const MAX_REPLY_CHARACTERS = 500;
/** As nearly all come. */
const CLEAN = /^[!-~]+(?: [!-~]+)*$/;
const STATUS = /^([245]\.\d{1,3}\.\d{1,3})(?=\s|$)/;

/** RFC 3463 status at the start of a reply's text (RFC 2034), or undefined. */
export function enhancedCodeOf(text: string): string | undefined {
  return STATUS.exec(text)?.[1];
}

/**
 * Text for people and for the database: one line, no control characters, at most 500 characters, no half surrogate pair
 * (PostgreSQL refuses NUL and lone surrogates).
 */
export function cleanReply(text: string): string {
  if (text.length <= MAX_REPLY_CHARACTERS && CLEAN.test(text)) return text;
  const line = text
    .slice(0, 4 * MAX_REPLY_CHARACTERS)
    // Cc is C0, DEL and C1; Zl and Zp are the Unicode line separators.
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  return line.slice(0, MAX_REPLY_CHARACTERS).toWellFormed();
}

const ADDRESS = /<[^<>\s]*@[^<>\s]*>|[^\s<>"'(),;:]+@[^\s<>"'(),;:]+/g;
/** Queue ids and the like: letters and digits mixed, too long for a word, and no part of a host's name. */
const MARK_OF_ONE = /(?<![\w./-])(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{8,}(?![\w-]|\.\w)/gi;

/**
 * A reply in the form that all its recipients share: without addresses, which are private, and without the marks
 * of one message. So equal reasons are counted together, and may stand in a log.
 */
export function replyKind(reply: string): string {
  return reply.replaceAll(ADDRESS, '<address>').replaceAll(MARK_OF_ONE, '…');
}

/**
 * Asks the ordered table. The basic code decides between deferred and rejected, also where the status says otherwise
 * (`450 5.1.1` is tried again: RFC 5321 section 4.2.1), unless a row names the outcome.
 * @param code three digits, 200 to 599
 * @param text the reply without its code
 */
export function classifyReply(stage: ReplyStage, code: number, text: string): ReplyVerdict {
  if (code < 300) return { outcome: 'submitted', fault: 'none', reason: 'accepted', rule: 'accepted' };
  const status = enhancedCodeOf(text);
  const words = status === undefined ? text : text.slice(status.length);
  const basic = String(code);
  const rule = REPLY_RULES.find(
    (row) =>
      // At MAIL the server has not heard of the recipient yet.
      (stage !== 'mail' || row.fault !== 'recipient') &&
      (row.stages === undefined || row.stages.includes(stage)) &&
      (row.code === undefined || row.code.test(basic)) &&
      (row.enhanced === undefined || (status !== undefined && row.enhanced.test(status))) &&
      (row.text === undefined || row.text.test(words)),
  );
  const outcome = rule?.outcome ?? (code < 500 ? 'deferred' : 'rejected');
  return { outcome, fault: rule?.fault ?? 'sender', reason: rule?.reason ?? 'unknown', rule: rule?.name ?? 'none' };
}

/** The attempt that a reply ends. */
export function attemptFromReply(stage: ReplyStage, code: number, text: string): Attempt {
  const { outcome, fault } = classifyReply(stage, code, text);
  return { outcome, code, enhancedCode: enhancedCodeOf(text), reply: cleanReply(`${code} ${text}`), fault };
}
