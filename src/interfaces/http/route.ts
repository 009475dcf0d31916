import type { z } from '@hono/zod-openapi';
import type { Caller, Scope } from './authentication.ts';
import type { Download } from './download.ts';

type Schema = z.ZodType;
type Output<S> = S extends z.ZodType ? z.output<S> : undefined;
type Reply<S> = S extends z.ZodType ? z.input<S> : undefined;

/** A request that was authenticated, limited, permitted and parsed. */
export interface Call<Application, Params = unknown, Query = unknown, Headers = unknown, Body = unknown> {
  readonly application: Application;
  readonly caller: Caller;
  /** Short for `caller.project.id`: the first argument of every verb. */
  readonly projectId: string;
  readonly params: Params;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  /** The body of a route with `upload`, counted while it is read. */
  readonly upload: AsyncIterable<Uint8Array>;
  /** Adds a field to the header of the answer, one of `replyHeaders`. */
  readonly setHeader: (name: string, value: string) => void;
  readonly request: Request;
}

/** A body that is read as a stream and never held as a whole. */
export interface Upload {
  readonly types: readonly string[];
  /** Default: the `maxUploadBytes` of the app. */
  readonly maxBytes?: number;
}

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Everything about a route in one place; the OpenAPI document and the tests read the same declaration. */
export interface RouteDeclaration<Application, P, Q, H, B, R> {
  /** The one application verb that the handler calls: `lists.create`. The operation has the same id. */
  readonly verb: string;
  readonly method: Method;
  /** OpenAPI style: `/v1/lists/{listId}`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  /** What the key must be allowed to do; of several, all. */
  readonly permission: Scope | readonly Scope[];
  readonly params?: P;
  /** Strict: an unknown parameter is a mistake worth telling. */
  readonly query?: Q;
  /** Names in lower case. */
  readonly headers?: H;
  /** JSON. An optional schema allows a request without a body. */
  readonly body?: B;
  /** Default: the `maxJsonBytes` of the app. */
  readonly maxBodyBytes?: number;
  readonly upload?: Upload;
  /** Default 200; without `reply` 204. */
  readonly status?: 200 | 201 | 202;
  /** Fields that are not in it never leave the house. */
  readonly reply?: R;
  /** Fields that the answer may have beside the usual ones, with their description. */
  readonly replyHeaders?: Readonly<Record<string, string>>;
  /** Type of a file; then the handler gives a `Download` instead of a reply. */
  readonly replyType?: string;
  readonly handle: (call: Call<Application, Output<P>, Output<Q>, Output<H>, Output<B>>) => Promise<Reply<R> | Download>;
}

/** A declaration as the app, the document and the tests see it: the types of its parts are checked and forgotten. */
export type Route<Application> = Omit<RouteDeclaration<Application, Schema, Schema, Schema, Schema, Schema>, 'handle'> & {
  readonly handle: (call: Call<Application>) => Promise<unknown>;
};

/** The scopes that a key needs for a route. */
export function scopesOf(route: { readonly permission: Scope | readonly Scope[] }): readonly Scope[] {
  return [route.permission].flat();
}

/** Ties the types of schema and handler together: `const route = routesOf<Application>()`, then one `route({...})` each. */
export function routesOf<Application>() {
  return <
    P extends Schema | undefined = undefined,
    Q extends Schema | undefined = undefined,
    H extends Schema | undefined = undefined,
    B extends Schema | undefined = undefined,
    R extends Schema | undefined = undefined,
  >(
    declaration: RouteDeclaration<Application, P, Q, H, B, R>,
  ): Route<Application> => declaration as unknown as Route<Application>;
}
