import { describe, expect, it } from 'vitest';
import { parseTransportSettings, type TransportSettings } from '../../src/domain/delivery/index.ts';
import type { HttpAnswer } from '../../src/infrastructure/network/http-client.ts';
import { AMAZON_SES_RULES, amazonSes } from '../../src/infrastructure/transports/providers/amazon-ses.ts';
import { BREVO_RULES, brevo } from '../../src/infrastructure/transports/providers/brevo.ts';
import { MAILGUN_RULES, mailgun } from '../../src/infrastructure/transports/providers/mailgun.ts';
import { POSTMARK_RULES, postmark } from '../../src/infrastructure/transports/providers/postmark.ts';
import type { Provider } from '../../src/infrastructure/transports/providers/provider.ts';
import type { ProviderRule } from '../../src/infrastructure/transports/providers/provider-rule.ts';
import { RESEND_RULES, resend } from '../../src/infrastructure/transports/providers/resend.ts';
import { SENDGRID_RULES, sendgrid } from '../../src/infrastructure/transports/providers/sendgrid.ts';
import { SPARKPOST_RULES, sparkpost } from '../../src/infrastructure/transports/providers/sparkpost.ts';
import { DIALECTS } from '../support/fake-provider.ts';

function settingsOf<K extends TransportSettings['kind']>(kind: K): Extract<TransportSettings, { kind: K }> {
  const settings = parseTransportSettings({ kind, ...DIALECTS.find((dialect) => dialect.kind === kind)?.settings });
  return settings as Extract<TransportSettings, { kind: K }>;
}

const reading = <M>(provider: Provider<M>, message: M) => ({
  kind: provider.kind,
  attempt: (answer: HttpAnswer) => provider.read(answer, [message])[0],
});
const message = { envelope: { from: '', to: 'reader@example.net', smtputf8: false }, content: Buffer.from('') };
const fields = {
  from: { name: '', address: 'news@example.com' },
  to: { name: '', address: 'reader@example.net' },
  replyTo: [],
  subject: '',
  text: 'Hello',
  html: undefined,
  messageId: undefined,
  headers: [],
  attachments: [],
};
const PROVIDERS = [
  [reading(amazonSes(settingsOf('amazon_ses')), message), AMAZON_SES_RULES],
  [reading(mailgun(settingsOf('mailgun')), message), MAILGUN_RULES],
  [reading(sparkpost(settingsOf('sparkpost')), message), SPARKPOST_RULES],
  [reading(postmark(settingsOf('postmark'), { batches: false }), fields), POSTMARK_RULES],
  [reading(sendgrid(settingsOf('sendgrid')), fields), SENDGRID_RULES],
  [reading(brevo(settingsOf('brevo')), fields), BREVO_RULES],
  [reading(resend(settingsOf('resend'), { batches: false }), fields), RESEND_RULES],
] as const;

function answerIn(example: string): HttpAnswer {
  const [, status, text = ''] = /^(\d{3}) (.*)$/s.exec(example) ?? [];
  return { status: Number(status), header: () => undefined, text };
}

const rows = PROVIDERS.flatMap(([provider, rules]) =>
  rules.flatMap((rule: ProviderRule) =>
    rule.examples.map((example) => [provider.kind, rule.name, example, provider, rule] as const),
  ),
);

describe('an answer of a provider', () => {
  it.each(rows)('%s, %s: %s', (_, __, example, provider, { outcome, fault }) => {
    expect(provider.attempt(answerIn(example))).toMatchObject({ outcome, fault, code: Number(example.slice(0, 3)) });
  });

  it('has at least one row for each class of refusal, with the answer that it was written for', () => {
    for (const [, rules] of PROVIDERS) {
      expect(rules.every(({ examples }) => examples.length > 0)).toBe(true);
      expect(new Set(rules.map(({ fault }) => fault))).toEqual(
        new Set([...rules.map(({ fault }) => fault), 'recipient', 'sender', 'message', 'quota', 'transport']),
      );
    }
  });

  it.each(PROVIDERS.map(([provider]) => [provider.kind, provider] as const))(
    '%s: with a 4xx that is readable and that no row knows is never held against the recipient',
    (_, provider) => {
      const bodies = [
        { message: 'Something new' },
        { ErrorCode: 999, Message: 'Something new' },
        { code: 'something_new', message: 'Something new', name: 'something_new', __type: 'SomethingNew' },
        { errors: [{ message: 'Something new', field: null, code: '9999' }] },
      ];
      for (const status of [400, 401, 403, 404, 409, 422, 429, 500, 503])
        for (const body of bodies) {
          const attempt = provider.attempt(answerIn(`${status} ${JSON.stringify(body)}`));
          expect(attempt?.outcome, `${status} ${JSON.stringify(body)}`).not.toBe('submitted');
          expect(attempt?.fault).not.toBe('recipient');
        }
    },
  );
});
