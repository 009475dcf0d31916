import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERB_INPUTS } from '../../src/application/verb-inputs.ts';
import { CampaignWorld } from '../support/campaign-world.ts';

type Verb = (...args: unknown[]) => unknown;

let world: CampaignWorld;

beforeAll(async () => {
  world = await CampaignWorld.open();
  await world.project();
});
afterAll(() => world.close());

/** What the caller of a verb by its name gets: what it gives, or the code of its refusal. */
async function outcome(name: string, ...args: unknown[]): Promise<{ code?: string; pointer?: string; message?: string }> {
  const [group = '', verb = ''] = name.split('.');
  const target: unknown = Reflect.get(world.application, group);
  const call = Reflect.get(Object(target), verb) as Verb;
  try {
    const result = call(...args);
    const stream = Object(await result) as Partial<AsyncIterable<unknown>>;
    if (stream[Symbol.asyncIterator] !== undefined) for await (const _ of stream as AsyncIterable<unknown>) break;
    return {};
  } catch (error) {
    return error as { code?: string };
  }
}

/** Names, not ids: slugs, halves of ids, other spellings, other types, characters that no column holds. */
const NO_IDS: readonly unknown[] = [
  'harbour-letter',
  '',
  'null',
  '0193a1b2',
  '0193a1b2c3d47e5f8a9b0c1d2e3f4a5b',
  '{0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b}',
  '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5g',
  "'; drop table x; --",
  'a\0b',
  '\ud800',
  'x'.repeat(100_000),
  5,
  Number.NaN,
  null,
  undefined,
  {},
  [],
  Symbol.iterator,
];
const KNOWN = /^(input\.invalid|resource\.not_found|page\.invalid_cursor)$/;
const NOTHING = '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b';
const inputs = new Map<string, readonly unknown[]>(
  Object.entries(VERB_INPUTS).flatMap(([resource, verbs]) =>
    Object.entries(verbs).map(([verb, schemas]) => [`${resource}.${verb}`, schemas] as const),
  ),
);
const tenants = [...inputs.keys()].filter((name) => !/^(recipients|projects|status)\.|\.authenticate$/.test(name));

describe('an id that is none', () => {
  it.each(tenants)('of a project is a clear refusal: %s', async (name) => {
    for (const value of NO_IDS)
      expect([value, await outcome(name, value, NOTHING, NOTHING, NOTHING)]).toEqual([
        value,
        expect.objectContaining({ code: 'input.invalid', message: expect.stringContaining('is not the id of a project') }),
      ]);
  });

  it.each(tenants)('of something in the project is one too: %s', async (name) => {
    const places = inputs.get(name)?.length ?? 0;
    if (places < 2) return;
    for (const value of NO_IDS.filter((one) => one !== undefined)) {
      const { code } = await outcome(name, world.projectId, value, value, value);
      // Some take any text there: an address, a slug, a page.
      expect([value, code]).toEqual([value, code === undefined ? undefined : expect.stringMatching(KNOWN)]);
    }
  });

  it('in a list, a template or a campaign that an input names', async () => {
    const { content } = CampaignWorld;
    const draft = await world.campaign({ lists: [] });
    const refusals = await Promise.all([
      outcome('campaigns.create', world.projectId, { name: 'x', content, audience: { include: [{ list: 'news' }] } }),
      outcome('campaigns.create', world.projectId, { name: 'x', content, audience: { include: [], exclude: [{ list: 7 }] } }),
      outcome('messages.send', world.projectId, { to: 'a@example.com', template: 'welcome' }),
      outcome('subscribers.list', world.projectId, { list: 'news' }),
      outcome('imports.create', world.projectId, [], { lists: ['news'] }),
      outcome('campaigns.preview', world.projectId, draft.id, { subscriber: 'ada' }),
    ]);
    expect(refusals.map(({ code, message }) => [code, message])).toEqual([
      ['resource.not_found', 'There is no list news in this project.'],
      ['resource.not_found', 'There is no list number in this project.'],
      ['resource.not_found', 'There is no template welcome in this project.'],
      ['resource.not_found', 'There is no list news in this project.'],
      ['resource.not_found', 'There is no list news in this project.'],
      ['resource.not_found', 'There is no subscriber ada in this project.'],
    ]);
  });

  it('is read in any case', async () => {
    expect((await world.application.projects.get(world.projectId.toUpperCase())).id).toBe(world.projectId);
    expect(await world.application.lists.list(world.projectId.toUpperCase())).toMatchObject({ items: [] });
  });
});

describe('a property that a verb does not know', () => {
  const { content } = CampaignWorld;
  it.each<[string, object, string]>([
    ['projects.create', { name: 'x', senderDomain: 'x.example', senderdomain: 'y' }, '/senderdomain'],
    ['lists.create', { name: 'x', doubleOptin: true }, '/doubleOptin'],
    ['subscribers.upsert', { email: 'a@example.com', attribute: {} }, '/attribute'],
    ['subscribers.list', { after: undefined, cursor: 'x' }, '/cursor'],
    ['campaigns.create', { name: 'x', content, audience: { include: [] }, list: [] }, '/list'],
    ['campaigns.create', { name: 'x', content: { ...content, preHeader: 'x' }, audience: { include: [] } }, '/content/preHeader'],
    [
      'campaigns.create',
      { name: 'x', content: { ...content, author: { adress: 'x', address: 'a@b.example' } }, audience: { include: [] } },
      '/content/author/adress',
    ],
    ['campaigns.list', { states: 'draft' }, '/states'],
    ['messages.send', { to: 'a@example.com', content, idempotencykey: 'x' }, '/idempotencykey'],
    ['messages.send', { to: 'a@example.com', content, __proto: 1, variable: {} }, '/__proto'],
    ['templates.list', { page: 2 }, '/page'],
    ['suppressions.lookup', {}, ''],
  ])('%s refuses it and says where', async (name, input, pointer) => {
    const first = name === 'projects.create' ? [input] : [world.projectId, input];
    expect(await outcome(name, ...first)).toMatchObject({ code: 'input.invalid', pointer });
  });

  it('is free in attributes, variables, defaults and evidence, which are the caller’s own', async () => {
    const person = { email: 'free@example.com', attributes: { anything: { goes: true } } };
    expect(await outcome('subscribers.upsert', world.projectId, person)).toEqual({});
    expect(await outcome('suppressions.create', world.projectId, 'x@example.com', { evidence: { any: 'text' } })).toEqual({});
  });
});

describe('numbers, times, pages and texts', () => {
  it.each([0, -1, 501, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e300, '50', null])('limit %s is refused', async (limit) => {
    for (const name of ['campaigns.list', 'messages.list', 'templates.list', 'lists.list', 'keys.list', 'imports.list'])
      expect(await outcome(name, world.projectId, { limit })).toMatchObject({ code: 'input.invalid', pointer: '/limit' });
  });

  it.each([new Date(Number.NaN), new Date(8.64e15), new Date(-8.64e15), new Date('0001-01-01'), '2030-01-01', 5])(
    'the time %s is refused',
    async (at) => {
      const campaign = await world.campaign({ lists: [await world.list(0)] });
      expect(await outcome('campaigns.schedule', world.projectId, campaign.id, at)).toMatchObject({ code: 'input.invalid' });
      const key = { name: 'x', scopes: ['admin'], expiresAt: at };
      expect(await outcome('keys.create', world.projectId, key)).toMatchObject({ code: 'input.invalid' });
    },
  );

  it.each(['a\0b', '\ud800', 5, {}])('the text %j is refused where it is asked for', async (text) => {
    const refused = { code: 'input.invalid' };
    const missing = { code: 'resource.not_found' };
    expect(await outcome('subscribers.list', world.projectId, { text })).toMatchObject(refused);
    expect(await outcome('suppressions.create', world.projectId, 'a@example.com', { evidence: { note: text } })).toMatchObject(
      refused,
    );
    expect(await outcome('keys.create', world.projectId, { name: text, scopes: ['admin'] })).toMatchObject(refused);
    expect(await outcome('lists.get', world.projectId, text)).toMatchObject(missing);
    expect(await outcome('subscribers.get', world.projectId, text)).toMatchObject(missing);
  });

  it('a cursor of another listing, or none at all, is refused', async () => {
    for (const after of [
      'x',
      'bnVsbA',
      Buffer.from('["\\u0000"]').toString('base64url'),
      Buffer.from('["x"]').toString('base64url'),
    ])
      for (const name of ['campaigns.list', 'messages.list', 'templates.list', 'lists.list', 'imports.list', 'subscribers.list'])
        expect([name, await outcome(name, world.projectId, { after })]).toEqual([
          name,
          expect.objectContaining({ code: 'page.invalid_cursor' }),
        ]);
  });
});
