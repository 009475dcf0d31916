import type { MessagePort } from 'node:worker_threads';
import { ContentInvalid, type ContentProblem, RenderFailed } from '../../domain/campaign/index.ts';
import { ThreadWork } from './thread-work.ts';

export type Verb = 'check' | 'freeze' | 'assemble' | 'preview' | 'faults';
export type Arguments<V extends Verb> = Parameters<ThreadWork[V]>;
export type Outcome<V extends Verb> = Awaited<ReturnType<ThreadWork[V]>>;

/** One thing to do, as it travels to the thread. */
export type ThreadRequest = { readonly [V in Verb]: { readonly verb: V; readonly values: Arguments<V> } }[Verb];

/** What comes back. `begun` once everything is loaded: from then on the time counts. */
export type ThreadReply =
  | { readonly kind: 'begun' }
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'invalid'; readonly problems: readonly ContentProblem[] }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'broken'; readonly message: string };

/** This module, for the thread that loads it. */
export const THREAD_PROGRAM = import.meta.url;

/** Runs in the thread: answers one request after the other. */
export function serve(port: MessagePort, hardLimit: number): void {
  const work = new ThreadWork(hardLimit);
  port.on('message', async (request: ThreadRequest) => {
    port.postMessage(await answer(work, request, (reply) => port.postMessage(reply)));
  });
}

async function answer(work: ThreadWork, request: ThreadRequest, tell: (reply: ThreadReply) => void): Promise<ThreadReply> {
  try {
    // Half a second on a free machine, several on a busy one: not the content's fault.
    if (request.values[0].kind === 'mjml') await import('mjml');
    tell({ kind: 'begun' });
    return { kind: 'done', value: await perform(work, request) };
  } catch (error) {
    if (error instanceof ContentInvalid) return { kind: 'invalid', problems: error.problems };
    if (error instanceof RenderFailed) return { kind: 'failed', message: error.message };
    return { kind: 'broken', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function perform(work: ThreadWork, request: ThreadRequest): Promise<unknown> {
  switch (request.verb) {
    case 'check':
      return work.check(...request.values);
    case 'freeze':
      return work.freeze(...request.values);
    case 'assemble':
      return work.assemble(...request.values);
    case 'preview':
      return work.preview(...request.values);
    case 'faults':
      return work.faults(...request.values);
  }
}
