/** Reads back what a sink recorded and judges every header and every link of it, with an independent MIME parser. */
import { strict as assert } from 'node:assert';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { simpleParser } from 'mailparser';
import type { KeyRing } from '../../../src/domain/access/index.ts';
import { verifyLinkToken, verifyMessageToken } from '../../../src/domain/tracking/index.ts';
import { headerFields, ONCE } from '../../support/mail-headers.ts';
import { PUBLIC_URL } from './instance.ts';
import { type Person, SENDER_DOMAIN, type Size, TRACKED_LINKS } from './newsletters.ts';

export interface Expected {
  readonly size: Size;
  readonly keys: KeyRing;
  readonly projectId: string;
  readonly campaignId: string;
  readonly mailingId: string;
  readonly listId: string;
  /** By address. */
  readonly people: ReadonlyMap<string, Person>;
}

/** The messages of a sink's log, as bytes in latin1. */
export async function recordedMessages(log: string): Promise<string[]> {
  const messages: string[] = [];
  for await (const line of createInterface({ input: createReadStream(log, 'utf8') })) {
    const { raw } = JSON.parse(line) as { raw: string };
    messages.push(raw);
  }
  return messages;
}

/** @throws AssertionError that says what is wrong with which message */
export async function verifyMessages(messages: readonly string[], expected: Expected): Promise<void> {
  const seen = new Set<string>();
  for (const message of messages) {
    const address = await verifyMessage(message, expected);
    assert.ok(!seen.has(address), `${address} got two messages`);
    seen.add(address);
  }
  assert.equal(seen.size, expected.people.size, 'messages that were recorded');
}

async function verifyMessage(message: string, expected: Expected): Promise<string> {
  const { campaignId, listId } = expected;
  const fields = headerFields(message);
  const only = (name: string): string => {
    assert.equal(fields.get(name)?.length, 1, `header fields ${name}`);
    return fields.get(name)?.[0] ?? '';
  };
  for (const name of ONCE) only(name);
  assert.ok(!/(^|[^\r])\n|\r(?!\n)/.test(message), 'a bare CR or LF');
  assert.ok(
    message.split('\r\n').every((line) => line.length <= 998),
    'a line of more than 998 octets',
  );
  const address = only('to').replace(/^<|>$/g, '');
  const person = expected.people.get(address);
  assert.ok(person !== undefined, `${address} is nobody`);
  assert.match(only('message-id'), new RegExp(`^<[A-Za-z0-9_-]{22}@${SENDER_DOMAIN.replaceAll('.', '\\.')}>$`));
  assert.equal(only('list-unsubscribe-post'), 'List-Unsubscribe=One-Click');
  assert.equal(only('list-id'), `<${listId}.${SENDER_DOMAIN}>`);
  assert.deepEqual(only('feedback-id').split(':').slice(0, 3), [campaignId, listId, 'marketing']);
  assert.equal(only('precedence'), 'bulk');

  const mail = await simpleParser(Buffer.from(message, 'latin1'));
  const html = typeof mail.html === 'string' ? mail.html : '';
  const text = mail.text ?? '';
  const name = person.firstName === '' ? 'friend' : person.firstName;
  assert.equal(mail.subject, `Spring is here, ${name}`);
  assert.ok(text.includes(`Hello ${name}`), 'the name in the text part');
  assert.ok(html.includes(`Hello ${name.replaceAll('&', '&amp;')}`), 'the name in the HTML part');
  assert.ok(text.includes(person.city) && html.includes(person.city), 'the city');
  assert.ok(!/{{|{%|undefined|\[object/.test(html + text + mail.subject), 'remains of a template');

  const subscriber = verifyLinks(html, text, expected);
  const unsubscribe = only('list-unsubscribe').slice(1, -1);
  assert.ok(unsubscribe.startsWith(`${PUBLIC_URL}/u/`), 'the unsubscribe address');
  assert.equal(subjectOf(unsubscribe.slice(`${PUBLIC_URL}/u/`.length), 'unsubscribe', expected), subscriber, 'whom it names');
  return address;
}

/** Every link of both parts leads to a target of ours and names the same person. */
function verifyLinks(html: string, text: string, expected: Expected): string {
  const links = (source: string): string[] =>
    [...source.matchAll(/http:\/\/127\.0\.0\.1:8025\/c\/([\w-]+\/[\w-]+)/g)].map((m) => m[1] ?? '');
  assert.equal(links(html).length, TRACKED_LINKS[expected.size], 'tracked links in the HTML part');
  assert.equal(links(text).length, TRACKED_LINKS[expected.size], 'tracked links in the text part');
  const subscribers = new Set<string>();
  for (const source of [html, text]) {
    for (const [index, link] of links(source).entries()) {
      const [message = '', token = ''] = link.split('/');
      const keyFor = (projectId: string, keyId: string) => expected.keys.tokenKey(projectId, keyId);
      const subject = verifyMessageToken(message, 'click', keyFor);
      const followed = subject && verifyLinkToken(token, subject, keyFor);
      assert.ok(subject?.kind === 'mailing' && followed !== undefined, `link ${index} is not ours`);
      assert.equal(subject.mailingId, expected.mailingId);
      assert.equal(followed.index, index, 'index of a link');
      assert.match(followed.target, /^https:\/\/shop\.example\//);
      subscribers.add(subject.subscriberId);
    }
  }
  const pixel = /http:\/\/127\.0\.0\.1:8025\/o\/([\w-]+)/.exec(html)?.[1] ?? '';
  subscribers.add(subjectOf(pixel, 'open', expected));
  const [subscriber, ...others] = subscribers;
  assert.ok(subscriber !== undefined && others.length === 0, 'one message names several people');
  return subscriber;
}

function subjectOf(token: string, purpose: 'open' | 'unsubscribe', expected: Expected): string {
  const subject = verifyMessageToken(token, purpose, (projectId, keyId) => expected.keys.tokenKey(projectId, keyId));
  assert.ok(subject?.kind === 'mailing' && subject.mailingId === expected.mailingId, `the ${purpose} token is not ours`);
  return subject.subscriberId;
}
