import type { Context } from 'hono';

/**
 * What a request to a public link tells about who made it: the raw facts from which people are later told from machines.
 * Header texts as they came, cut at 512 characters. The time is set when they are stored.
 */
export interface RequestFacts {
  readonly method: string;
  readonly userAgent: string | undefined;
  readonly ip: string | undefined;
  readonly secFetchSite: string | undefined;
  readonly secFetchMode: string | undefined;
  readonly secFetchDest: string | undefined;
  /** `Sec-Purpose` or its forerunners: `prefetch`, `preview`. */
  readonly purpose: string | undefined;
  readonly referer: string | undefined;
  readonly acceptLanguage: string | undefined;
}

/** Tells the address of the client; only the host knows whether a proxy in front may be believed. */
export type ClientAddress = (context: Context) => string | undefined;

/** A request to a public link, as both a server and a framework have it. */
export interface PublicRequest {
  readonly method: string;
  /** @param name in lower case */
  header(name: string): string | undefined;
  readonly clientAddress: string | undefined;
  /** What the address says behind `?language=`. */
  readonly language: string | undefined;
}

export function requestFacts(request: PublicRequest): RequestFacts {
  const header = (name: string) => request.header(name)?.slice(0, 512);
  return {
    method: request.method,
    userAgent: header('user-agent'),
    ip: request.clientAddress,
    secFetchSite: header('sec-fetch-site'),
    secFetchMode: header('sec-fetch-mode'),
    secFetchDest: header('sec-fetch-dest'),
    purpose: header('sec-purpose') ?? header('purpose') ?? header('x-purpose') ?? header('x-moz'),
    referer: header('referer'),
    acceptLanguage: header('accept-language'),
  };
}

/** The peer of the socket under @hono/node-server; undefined under any other server. */
export const socketAddress: ClientAddress = (context) => {
  const environment = context.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
  return environment?.incoming?.socket?.remoteAddress;
};
