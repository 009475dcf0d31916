import type { MessageFacts } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';

/** Named one by one: a prepared `select *` fails when a later release adds a column. Everything but the content and the variables: what listings and the record of an attempt read. */
export const FACTS = `m.project_id as "projectId", m.id, m.copy_of as "copyOf", m.recipient, m.smtputf8, m.field, m.name,
  m.template_id as "templateId", m.idempotency_key as "idempotencyKey", m.fingerprint, m.stream, m.tags, m.metadata, m.send_at as "sendAt",
  m.state, m.attempts, m.faults, m.next_attempt_at as "nextAttemptAt", m.accepted_at as "acceptedAt", m.at, m.code, m.reply`;

export interface FactsRow
  extends Omit<
    MessageFacts,
    | 'recipient'
    | 'copyOf'
    | 'templateId'
    | 'idempotencyKey'
    | 'stream'
    | 'metadata'
    | 'sendAt'
    | 'nextAttemptAt'
    | 'code'
    | 'reply'
  > {
  readonly recipient: string;
  readonly smtputf8: boolean;
  readonly field: MessageFacts['recipient']['field'];
  readonly name: string | null;
  readonly copyOf: Id | null;
  readonly templateId: Id | null;
  readonly idempotencyKey: string | null;
  readonly stream: string | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly sendAt: Date | null;
  readonly nextAttemptAt: Date | null;
  readonly code: number | null;
  readonly reply: string | null;
}

export const toFacts = ({ recipient, smtputf8, field, name, ...row }: FactsRow): MessageFacts => ({
  ...row,
  copyOf: row.copyOf ?? undefined,
  recipient: { address: recipient, smtputf8, field, name: name ?? undefined },
  templateId: row.templateId ?? undefined,
  idempotencyKey: row.idempotencyKey ?? undefined,
  stream: row.stream ?? undefined,
  metadata: row.metadata ?? undefined,
  sendAt: row.sendAt ?? undefined,
  nextAttemptAt: row.nextAttemptAt ?? undefined,
  code: row.code ?? undefined,
  reply: row.reply ?? undefined,
});

/** Smaller than every UUIDv7 that was made at this time or later. */
export function firstIdAt(time: Date): Id {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-0000-0000-000000000000`;
}
