import { expect, it } from 'vitest';
import { Tally } from '../../../src/application/delivery/status/tally.ts';
import { anAttempt } from '../../support/builders-delivery.ts';

const lost = anAttempt('deferred', { code: undefined, reply: 'No connection for <ada@example.net>', fault: 'transport' });

it('a tally tells of trouble that lasts, and of its end, once each', () => {
  const said: string[] = [];
  const note =
    (level: string) =>
    (facts: object, message: string): void =>
      void said.push(`${level} ${message} ${JSON.stringify(facts)}`);
  const tally = new Tally(0, { info: note('info'), warn: note('warn'), error: note('error') });
  tally.count(lost);
  expect(tally.trouble).toBe('No connection for <address>');
  tally.measure(1_000);
  expect(said).toEqual([]);
  for (let second = 2; second < 10; second += 1) tally.measure(second * 1_000);
  expect(said).toEqual(['warn the server does not take campaign mail; trying again {"reason":"No connection for <address>"}']);
  tally.count(anAttempt());
  tally.measure(10_000);
  tally.measure(11_000);
  expect([tally.trouble, said.slice(1)]).toEqual([undefined, ['info the server takes campaign mail again {}']]);
  // What is over before anybody looks twice is not worth a line.
  tally.count(lost);
  tally.measure(12_000);
  tally.count(anAttempt());
  tally.measure(13_000);
  expect(said).toHaveLength(2);
});
