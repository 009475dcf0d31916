import type { TransactionalSubject } from '../../domain/tracking/index.ts';
import type { Scope } from '../unit-of-work.ts';

/** What the unsubscribe link of a transactional message is about: its recipient, and the one stream that the link stops. */
export interface StreamOptOut {
  readonly projectName: string;
  readonly language: string;
  readonly address: string;
  readonly stream: string;
  readonly left: boolean;
  /** It was this link that stopped the stream, and so it can take that back. */
  readonly undoable: boolean;
}

const scopeOf = (stream: string): string => `stream:${stream}`;

/** Undefined for a message that is gone or erased, or that has no stream. */
export async function streamOptOut(
  { access, audience, delivery }: Scope,
  { projectId, messageId }: TransactionalSubject,
): Promise<StreamOptOut | undefined> {
  const message = await delivery.transactional.facts(projectId, messageId);
  if (message?.stream === undefined || message.recipient.address === '') return undefined;
  const { stream, recipient } = message;
  const project = await access.getProject(projectId);
  const suppressions = await audience.suppressions.of(projectId, recipient.address);
  const present = suppressions.find(({ scope }) => scope === scopeOf(stream));
  return {
    projectName: project.name,
    language: project.defaultLanguage,
    address: recipient.address,
    stream,
    left: present !== undefined,
    undoable: present?.reason === 'unsubscribe' && present.evidence.message === messageId,
  };
}

/** Safe to repeat. False where `streamOptOut` has nothing. */
export async function leaveStream(scope: Scope, subject: TransactionalSubject): Promise<boolean> {
  const found = await streamOptOut(scope, subject);
  if (found === undefined) return false;
  await scope.audience.suppressions.add(subject.projectId, found.address, {
    scope: scopeOf(found.stream),
    reason: 'unsubscribe',
    evidence: { source: 'one-click unsubscribe', message: subject.messageId },
  });
  return true;
}

/** Takes back what `leaveStream` with the same link did; false when there is nothing to take back. */
export async function returnToStream(scope: Scope, subject: TransactionalSubject): Promise<boolean> {
  const found = await streamOptOut(scope, subject);
  if (found?.undoable !== true) return false;
  return scope.audience.suppressions.lift(subject.projectId, found.address, scopeOf(found.stream));
}
