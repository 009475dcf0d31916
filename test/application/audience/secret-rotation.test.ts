import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSecretKey, KeyRing } from '../../../src/domain/access/index.ts';
import { openAudience, pieces, type TestAudience } from './support.ts';

const [first, second, third] = [generateSecretKey(), generateSecretKey(), generateSecretKey()];
let ring = new KeyRing([first]);
let world: TestAudience;

beforeAll(async () => {
  world = await openAudience((projectId) => ring.erasureKeys(projectId));
});
afterAll(() => world.close());

describe('somebody who was erased before the secret of the instance was replaced twice', () => {
  const email = 'forgotten@example.com';

  it('is still recognised by every verb and by an import, until the person comes back', async () => {
    const { audience, ids, imports, people } = world;
    const project = ids.next();
    const list = await audience((a) => a.lists.create(project, { name: 'News' }));
    const { forgotten } = await people(project, list.id, 'forgotten');
    await audience((a) => a.subscribers.erase(project, forgotten!));

    ring = new KeyRing([third, second, first]);
    expect(await audience((a) => a.suppressions.transactionalRefusal(project, email))).toBe('erased');
    expect(await audience((a) => a.suppressions.of(project, email))).toMatchObject([{ reason: 'erased' }]);
    await expect(audience((a) => a.subscribers.upsert(project, { email }))).rejects.toMatchObject({ code: 'subscriber.erased' });
    const file = `email\n${email}\nnew@example.com\n`;
    expect((await imports.run(project, pieces(file), { lists: [list.id] })).totals).toMatchObject({ imported: 1, protected: 1 });

    expect(await audience((a) => a.suppressions.lift(project, email))).toBe(true);
    expect((await imports.run(project, pieces(file), { lists: [list.id] })).totals).toMatchObject({ imported: 2, protected: 0 });
  });

  it('is marked anew with the present secret, which is enough from then on', async () => {
    const { audience, ids, people } = world;
    const project = ids.next();
    ring = new KeyRing([second, first]);
    const list = await audience((a) => a.lists.create(project, { name: 'News' }));
    const { forgotten } = await people(project, list.id, 'forgotten');
    await audience((a) => a.subscribers.erase(project, forgotten!));
    ring = new KeyRing([second]);
    expect(await audience((a) => a.suppressions.transactionalRefusal(project, email))).toBe('erased');
  });
});
