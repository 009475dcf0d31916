import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSmtpTransport } from '../../src/infrastructure/transports/smtp.ts';
import type { SmtpEvent } from '../../src/infrastructure/transports/smtp-pool.ts';
import { noPostfix, type Postfix, startPostfix } from '../support/postfix.ts';
import { eventually } from '../support/processes.ts';
import { message, outcomes } from '../support/sink-fixture.ts';

const MESSAGES = 200;

describe.skipIf(noPostfix !== undefined)(`Postfix itself${noPostfix === undefined ? '' : ` (${noPostfix})`}`, () => {
  let postfix: Postfix | undefined;
  beforeAll(async () => {
    postfix = await startPostfix();
  }, 60_000);
  afterAll(() => postfix?.close());

  const log = (): string => postfix?.log() ?? '';
  const kindOf = (at: number): string =>
    at % 10 === 3 ? '550' : at % 10 === 6 ? '450' : at % 10 === 8 ? 'content' : at % 50 === 1 ? 'large' : 'ok';
  const EXPECTED: Record<string, string> = {
    '550': 'rejected',
    '450': 'deferred',
    content: 'rejected',
    large: 'submitted',
    ok: 'submitted',
  };
  const contentOf = (kind: string): Buffer => {
    const text = '.\r\n..\r\nMAIL FROM:<x@example.org>\r\nRSET\r\n'.repeat(kind === 'large' ? 10_000 : 100);
    return Buffer.from(`Subject: ${kind === 'content' ? 'Refused' : kind}\r\n\r\n${text}`);
  };

  it.each([
    ['BDAT', ''],
    ['DATA', '?chunking=no'],
  ])(
    'takes by %s what it does not refuse, once, and every message has its own outcome',
    async (dialogue, query) => {
      const events: SmtpEvent[] = [];
      const transport = createSmtpTransport({
        url: `${postfix?.url}${query}`,
        maxConnections: 3,
        onEvent: (event) => events.push(event),
      });
      let deepest = 0;
      const kinds = Array.from({ length: MESSAGES }, (_, at) => kindOf(at));
      const address = (at: number): string => `${kinds[at]}-${dialogue.toLowerCase()}-${at}@example.net`;
      const results = await Promise.all(
        kinds.map(async (kind, at) => {
          const result = await transport.submit(message(address(at), { content: contentOf(kind) }));
          deepest = Math.max(deepest, transport.depth);
          return result;
        }),
      );
      await transport.close();
      expect(outcomes(results)).toEqual(kinds.map((kind) => EXPECTED[kind]));
      expect(events).toEqual([]);
      if (dialogue === 'BDAT') expect(deepest).toBeGreaterThan(1);
      else expect(deepest).toBe(1);
      const accepted = kinds.flatMap((kind, at) => (EXPECTED[kind] === 'submitted' ? [address(at)] : []));
      const delivered = (): string[] =>
        [...log().matchAll(/discard\[\d+\]: \w+: to=<([^>]+)>.* status=sent/g)]
          .flatMap(([, to]) => to ?? [])
          .filter((to) => to.includes(`-${dialogue.toLowerCase()}-`));
      await eventually('Postfix to have delivered all', () => delivered().length >= accepted.length);
      expect(delivered().sort()).toEqual(accepted.sort());
      expect(log()).not.toMatch(/improper command|lost connection after (?!CONNECT)|too many errors/);
    },
    60_000,
  );
});
