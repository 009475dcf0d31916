import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ProjectRoute, RoutePlan } from '../../../src/domain/delivery/index.ts';
import { parseReceivingGroup, RECEIVING_GROUPS, receivingGroupOf } from '../../../src/domain/delivery/receiving-groups.ts';
import { idOf } from '../../support/builders-delivery.ts';

const [A, B, C] = [1, 2, 3].map((number) => ({ id: idOf(number, 0x7) })) as [{ id: string }, { id: string }, { id: string }];
let made = 0;
const to = ({ id }: { id: string }, route: Partial<ProjectRoute> = {}): ProjectRoute => {
  made += 1;
  const whole = { lane: undefined, receivingGroup: undefined, priority: 10, weight: 1, createdAt: new Date(0) };
  return { ...whole, ...route, projectId: idOf(1), id: idOf(made, 0x8), transportId: id };
};
const nameOf = new Map([A, B, C].map(({ id }, index) => [id, 'abc'[index]!]));
const order = (
  plan: RoutePlan<{ id: string }>,
  message: { lane?: 'bulk' | 'transactional'; domain?: string; key?: string } = {},
) =>
  plan
    .ways({ lane: 'bulk', domain: 'example.org', ...message })
    .map(({ transport }) => nameOf.get(transport.id))
    .join('');

describe('the way of a message', () => {
  it('is the order in which the transports were created, without a route that matches', () => {
    expect(order(new RoutePlan([A, B, C], []))).toBe('abc');
    expect(order(new RoutePlan([A, B, C], [to(C, { lane: 'transactional' })]))).toBe('abc');
    expect(order(new RoutePlan([], []))).toBe('');
  });

  it('is the route with the lowest priority; the others take over in their order', () => {
    expect(order(new RoutePlan([A, B, C], [to(A, { priority: 30 }), to(B, { priority: 10 }), to(C, { priority: 20 })]))).toBe(
      'bca',
    );
  });

  it('is a route for its receiving group first, then one for its lane, whatever their priorities are', () => {
    const plan = new RoutePlan(
      [A, B, C],
      [to(A, { priority: 1 }), to(B, { lane: 'bulk', priority: 50 }), to(C, { receivingGroup: 'gmail', priority: 100 })],
    );
    expect(order(plan, { domain: 'googlemail.com' })).toBe('cba');
    expect(order(plan, { domain: 'example.org' })).toBe('ba');
    expect(order(plan, { domain: 'example.org', lane: 'transactional' })).toBe('a');
  });

  it('names a transport once, and no transport that is gone', () => {
    expect(
      order(
        new RoutePlan([A, B], [to(A, { priority: 1 }), to(A, { priority: 2 }), to(C, { priority: 3 }), to(B, { priority: 4 })]),
      ),
    ).toBe('ab');
  });
});

describe('weights', () => {
  const keys = Array.from({ length: 20_000 }, (_, index) => `mailing/${idOf(index)}`);
  const counts = (plan: RoutePlan<{ id: string }>) => {
    const found: Record<string, number> = {};
    for (const key of keys) {
      const [first] = order(plan, { key });
      found[first!] = (found[first!] ?? 0) + 1;
    }
    return found;
  };

  it('share messages as they say, within 2 % of the messages', () => {
    const found = counts(new RoutePlan([A, B, C], [to(A, { weight: 5 }), to(B, { weight: 3 }), to(C, { weight: 2 })]));
    expect(Math.abs(found.a! / keys.length - 0.5)).toBeLessThan(0.02);
    expect(Math.abs(found.b! / keys.length - 0.3)).toBeLessThan(0.02);
    expect(Math.abs(found.c! / keys.length - 0.2)).toBeLessThan(0.02);
    expect(found.a! + found.b! + found.c!).toBe(keys.length);
  });

  it('give a message the same way every time, and move only the messages of a route that is deleted', () => {
    const routes = [to(A, { weight: 2 }), to(B), to(C)];
    const whole = new RoutePlan([A, B, C], routes);
    const without = new RoutePlan([A, B, C], routes.slice(0, 2));
    fc.assert(
      fc.property(fc.uuid(), (key) => {
        expect(order(whole, { key })).toBe(order(whole, { key }));
        expect(order(without, { key })).toBe(order(whole, { key }).replace('c', ''));
      }),
    );
  });

  it('say what part of the messages each takes', () => {
    const ways = new RoutePlan([A, B], [to(A), to(B, { weight: 3 })]).ways({ lane: 'bulk', domain: 'example.org' });
    expect(ways.map(({ transport, share }) => [nameOf.get(transport.id), share])).toEqual([
      ['b', 0.75],
      ['a', 0.25],
    ]);
  });
});

describe('receiving groups', () => {
  it.each(RECEIVING_GROUPS)('$name has its domains and no others', ({ name, examples, others }) => {
    expect(examples.map(receivingGroupOf)).toEqual(examples.map(() => name));
    for (const domain of others) expect(receivingGroupOf(domain)).not.toBe(name);
  });

  it('are names of the table or single domains', () => {
    expect(parseReceivingGroup(' GMail ')).toBe('gmail');
    expect(parseReceivingGroup('Example.ORG')).toBe('example.org');
    for (const wrong of ['', 'gmial', '*', 'a@example.org', 'example..org', '-a.org'])
      expect(() => parseReceivingGroup(wrong)).toThrow('receiving group');
    expect(() => parseReceivingGroup('gmial')).toThrow('Did you mean gmail?');
  });
});
