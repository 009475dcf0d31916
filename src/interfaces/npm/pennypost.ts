import type { InstanceVerbs, ProjectVerbs } from '../../application/application.ts';
import type { ReadableInbox } from '../web/readable-inbox.ts';

/**
 * An instance inside a process of the host's. Its verbs work from the beginning until `stop()`; each is a transaction of its own.
 * What they throw on purpose is a `DomainError` with a stable `code`, listed in docs/reference/errors.md.
 */
export interface Pennypost extends InstanceVerbs {
  /**
   * The verbs of one project, by id or slug: `const news = pennypost.project('harbour')`, then `await news.lists.create({...})`.
   * Looked up with the first verb that is called, and once. That verb throws NotFound where there is no such project.
   */
  project(idOrSlug: string): ProjectVerbs;
  /** One line to display: which database, and where mail goes. Holds no secret. */
  readonly description: string;
  /** What links in mail begin with; without a slash at its end. */
  readonly publicUrl: string;
  /** The development inbox, when mail goes there: for tests of the host's, and for a look at what was sent. */
  readonly inbox: ReadableInbox | undefined;
  /**
   * Works on the lanes of the options in this process; resolves when it does. Called again it changes nothing.
   * When it rejects (the database is away), `stop()` and make another instance.
   */
  start(): Promise<void>;
  /**
   * Takes no more work, finishes what is on the wire, writes every outcome down, gives campaigns back to other workers and closes
   * whatever was opened, the embedded database included. Close the server in front of `fetch` first. Safe to call twice,
   * and while `start()` is on its way.
   * @throws AggregateError when something did not close; everything else is closed all the same
   */
  stop(): Promise<void>;
  /**
   * Answers the HTTP API (`/v1`, `/health`, `/openapi.json`, `/docs`), the pages for recipients (`/c`, `/o`, `/u`) and, with
   * `showInbox`, `/inbox`. Needs no `this`. `env` is what @hono/node-server hands on (it knows the client's address).
   */
  readonly fetch: (request: Request, env?: unknown) => Promise<Response>;
}
