import { type Attempt, type AttemptOutcome, cleanReply, type Fault } from '../../../domain/delivery/index.ts';
import type { HttpAnswer } from '../../network/http-client.ts';

/** What a provider says about one message. */
export interface ProviderReply {
  readonly status: number;
  /** The provider's own name or number of the error; empty where it gives none. */
  readonly code: string;
  readonly text: string;
}

/** One row: every condition that is given must hold. The first row that matches wins. */
export interface ProviderRule {
  /** A verdict names its rule; stable. */
  readonly name: string;
  readonly status?: RegExp;
  readonly code?: RegExp;
  readonly text?: RegExp;
  readonly outcome: AttemptOutcome;
  readonly fault: Fault;
  /** Answers that the row was written for, as status, a space and the body; they are its test. */
  readonly examples: readonly string[];
}

/** What the status says where no row of the provider matches, for errors in the provider's own form. */
const READABLE: readonly Omit<ProviderRule, 'examples'>[] = [
  { name: 'too-large', status: /^413$/, outcome: 'rejected', fault: 'message' },
  { name: 'request', status: /^(?:400|422)$/, outcome: 'rejected', fault: 'message' },
  { name: 'payment', status: /^402$/, outcome: 'deferred', fault: 'quota' },
  { name: 'rate', status: /^(?:420|429)$/, outcome: 'deferred', fault: 'quota' },
  { name: 'refused', status: /^4/, outcome: 'deferred', fault: 'transport' },
  { name: 'server', status: /^5/, outcome: 'deferred', fault: 'transport' },
];

/** For everything else: error pages of proxies, empty answers, garbage. */
const UNREADABLE: readonly Omit<ProviderRule, 'examples'>[] = [
  // The message was probably accepted.
  { name: 'unreadable-success', status: /^2/, outcome: 'in_doubt', fault: 'unknown' },
  { name: 'redirect', status: /^3/, outcome: 'deferred', fault: 'transport' },
  { name: 'credentials', status: /^401$/, outcome: 'deferred', fault: 'transport' },
  { name: 'too-large', status: /^413$/, outcome: 'rejected', fault: 'message' },
  { name: 'rate', status: /^(?:420|429)$/, outcome: 'deferred', fault: 'quota' },
  { name: 'unavailable', status: /^(?:408|503)$/, outcome: 'deferred', fault: 'transport' },
  // A proxy answers for a server that may have accepted the message before its answer was lost.
  { name: 'gateway', status: /^5/, outcome: 'in_doubt', fault: 'transport' },
  { name: 'unreadable', outcome: 'deferred', fault: 'unknown' },
];

/** The attempt that an error ends. @param reply undefined where the answer is not in the provider's form */
export function refusedAttempt(rules: readonly ProviderRule[], answer: HttpAnswer, reply: ProviderReply | undefined): Attempt {
  const rule = ruleFor(rules, answer, reply);
  const said = reply === undefined ? plainText(answer.text) : `${reply.code} ${reply.text}`;
  const { outcome, fault } = rule;
  const retryAfterMs = outcome === 'deferred' ? retryAfter(answer) : undefined;
  return {
    outcome,
    code: answer.status,
    enhancedCode: undefined,
    reply: cleanReply(`${answer.status} ${said}`),
    fault,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

export function acceptedAttempt(status: number, providerMessageId: string): Attempt {
  const id = cleanReply(providerMessageId);
  return {
    outcome: 'submitted',
    code: status,
    enhancedCode: undefined,
    reply: cleanReply(`${status} ${id}`),
    fault: 'none',
    ...(id !== '' && { providerMessageId: id }),
  };
}

function ruleFor(rules: readonly ProviderRule[], { status }: HttpAnswer, reply: ProviderReply | undefined) {
  const code = String(status);
  const rule =
    reply === undefined
      ? UNREADABLE.find((row) => row.status === undefined || row.status.test(code))
      : (rules.find((row) => matches(row, reply)) ?? READABLE.find((row) => row.status?.test(code)));
  return rule ?? ({ name: 'unknown', outcome: 'deferred', fault: 'unknown' } as const);
}

function matches(row: ProviderRule, { status, code, text }: ProviderReply): boolean {
  return (
    (row.status === undefined || row.status.test(String(status))) &&
    (row.code === undefined || row.code.test(code)) &&
    (row.text === undefined || row.text.test(text))
  );
}

/** The visible words of an error page. */
const plainText = (text: string): string =>
  text
    .slice(0, 20_000)
    .replace(/<(script|style)\b[\s\S]*?<\/\1\s*>/gi, ' ')
    .replace(/<[^>]*>/g, ' ');

const LONGEST_RETRY_AFTER_MS = 24 * 3_600_000;

/** Retry-After as seconds or as a date (RFC 9110 section 10.2.3), in milliseconds from the server's own Date. */
export function retryAfter(answer: HttpAnswer): number | undefined {
  const value = answer.header('retry-after')?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,9}(?:\.\d+)?$/.test(value)) return Math.min(Math.ceil(Number(value) * 1_000), LONGEST_RETRY_AFTER_MS);
  const [until, now] = [Date.parse(value), Date.parse(answer.header('date') ?? '')];
  if (Number.isNaN(until) || Number.isNaN(now)) return undefined;
  return Math.min(Math.max(until - now, 0), LONGEST_RETRY_AFTER_MS);
}
