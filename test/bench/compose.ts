/**
 * Microseconds of CPU to compose one message from a compiled plan, tokens included: both newsletters, each person with values of
 * their own. No database, no wire; what `send` adds to this is in docs/inside/performance.md.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Content, PlanContext } from '../../src/domain/campaign/index.ts';
import { HmacKey } from '../../src/domain/shared/hmac-key.ts';
import { uuidv7 } from '../../src/domain/shared/ids.ts';
import { issueLinkToken, MessageTokens } from '../../src/domain/tracking/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { PUBLIC_URL } from './support/instance.ts';
import { median, rounded } from './support/machine.ts';
import { newsletter, person, SENDER_DOMAIN, type Size } from './support/newsletters.ts';
import type { BenchOutput } from './support/output.ts';

const PEOPLE = 1_000;
const ROUNDS = 15;
const WARM_UP = 5;

export async function benchCompose(args: readonly string[], output: BenchOutput): Promise<void> {
  parseArgs({ args: [...args], options: {} });
  const rows = [await composed('5k'), await composed('40k')];
  output.table('compose: CPU in microseconds per message (median round)', rows);
  output.result({ bench: 'compose', sizes: rows });
}

async function composed(size: Size) {
  const id = (): string => uuidv7(Date.now(), randomBytes(10));
  const [projectId, campaignId, mailingId] = [id(), id(), id()];
  const key = new HmacKey(randomBytes(32));
  const tokens = new MessageTokens({ projectId, mailingId, key, keyId: 'abcdef' });
  const context: PlanContext = {
    stream: 'marketing',
    project: { name: 'Acme', postalAddress: '1 Main Street, 12345 Town', senderDomain: SENDER_DOMAIN },
    campaign: { id: campaignId, name: 'Spring' },
    staticHeaders: [`List-Id: <${id()}.${SENDER_DOMAIN}>`, 'Precedence: bulk', `Feedback-ID: ${campaignId}:news:marketing:acme1`],
    tracking: {
      baseUrl: PUBLIC_URL,
      linkToken: (index, target) => issueLinkToken({ kind: 'mailing', projectId, subjectId: mailingId, key }, index, target),
      openPixel: true,
      clicks: true,
    },
  };
  const content: Content = { headers: {}, defaults: {}, footer: 'project', ...newsletter(size) } as Content;
  const plan = await createRenderer().compile(content, context);
  const people = Array.from({ length: PEOPLE }, (_, index) => {
    const { email, firstName, city, vip } = person(index);
    const attributes = { first_name: firstName, city, vip };
    const subscriberId = id();
    return { subscriberId, email, variables: { ...attributes, subscriber: { id: subscriberId, email, attributes } } };
  });
  const date = new Date();
  let octets = 0;
  const round = (): number => {
    const before = process.cpuUsage();
    for (const { subscriberId, email, variables } of people) {
      const { messageIdLeft, click, open, unsubscribe } = tokens.issue(subscriberId);
      const message = plan.compose({
        address: email,
        smtputf8: false,
        variables,
        messageId: `${messageIdLeft}@${SENDER_DOMAIN}`,
        date,
        clickToken: click,
        openToken: open,
        unsubscribeUrl: `${PUBLIC_URL}/u/${unsubscribe}`,
      });
      octets += message.bytes.length;
      message.release();
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / PEOPLE;
  };
  for (let warm = 0; warm < WARM_UP; warm += 1) round();
  octets = 0;
  const rounds = Array.from({ length: ROUNDS }, round);
  return {
    size,
    bytes: Math.round(octets / PEOPLE / ROUNDS),
    links: plan.links.length,
    microseconds: rounded(median(rounds), 2),
    best: rounded(Math.min(...rounds), 2),
  };
}
