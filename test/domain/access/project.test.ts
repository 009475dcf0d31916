import { describe, expect, it } from 'vitest';
import { type NewProject, Project, type ProjectChanges } from '../../../src/domain/access/index.ts';
import { InvalidInput } from '../../../src/domain/shared/errors.ts';

const ID = '0193a1b2-0000-7000-8000-000000000001';
const NOW = new Date('2026-11-22T10:00:00Z');

function create(wish: Partial<NewProject> = {}): Project {
  return Project.create(ID, { name: 'Example', senderDomain: 'news.example.com', ...wish }, NOW);
}

describe('a project', () => {
  it('needs a name and a domain; the rest has defaults', () => {
    expect(create()).toMatchObject({
      slug: 'example',
      senderDomain: 'news.example.com',
      trackingBaseUrl: null,
      postalAddress: '',
      timeZone: 'UTC',
      defaultLanguage: 'en',
      createdAt: NOW,
    });
  });

  it.each([
    ['Möbel & Mehr GmbH', 'mobel-mehr-gmbh'],
    ['  Ünïcödé  ', 'unicode'],
    [`${'a'.repeat(62)} b`, 'a'.repeat(62)],
  ])('named %j has the slug %j', (name, slug) => {
    expect(create({ name }).slug).toBe(slug);
  });

  it('asks for a slug when none can be made from its name', () => {
    expect(() => create({ name: '日本語' })).toThrow(expect.objectContaining({ pointer: '/slug' }));
    expect(create({ name: '日本語', slug: 'nihongo' }).slug).toBe('nihongo');
  });

  it('keeps its domain as A-labels', () => {
    expect(create({ senderDomain: 'Bücher.Example.' }).senderDomain).toBe('xn--bcher-kva.example');
  });

  it('keeps its tracking base URL without a slash at the end', () => {
    expect(create({ trackingBaseUrl: 'https://Links.example.com/' }).trackingBaseUrl).toBe('https://links.example.com');
    expect(create({ trackingBaseUrl: 'https://example.com/mail//' }).trackingBaseUrl).toBe('https://example.com/mail');
  });

  it('keeps the canonical names of time zone and language', () => {
    expect(create({ timeZone: 'europe/berlin', defaultLanguage: 'DE-at' })).toMatchObject({
      timeZone: 'Europe/Berlin',
      defaultLanguage: 'de-AT',
    });
  });

  it.each<[Partial<NewProject>, string]>([
    [{ name: ' ' }, '/name'],
    [{ name: 'two\r\nlines' }, '/name'],
    [{ slug: 'Two Words' }, '/slug'],
    [{ slug: '-x' }, '/slug'],
    [{ senderDomain: 'localhost' }, '/senderDomain'],
    [{ senderDomain: '127.0.0.1' }, '/senderDomain'],
    [{ senderDomain: '2130706433' }, '/senderDomain'],
    [{ senderDomain: 'user@example.com' }, '/senderDomain'],
    [{ senderDomain: 'example.com/path' }, '/senderDomain'],
    [{ senderDomain: 'example.com\r\nBcc: x' }, '/senderDomain'],
    [{ senderDomain: `${'a'.repeat(64)}.example` }, '/senderDomain'],
    [{ trackingBaseUrl: 'javascript:alert(1)' }, '/trackingBaseUrl'],
    [{ trackingBaseUrl: 'https://user:pw@example.com' }, '/trackingBaseUrl'],
    [{ trackingBaseUrl: 'https://example.com/?x=1' }, '/trackingBaseUrl'],
    [{ postalAddress: 'a\0b' }, '/postalAddress'],
    [{ timeZone: 'Mars/Olympus' }, '/timeZone'],
    [{ timeZone: '+01:00' }, '/timeZone'],
    [{ defaultLanguage: 'not a language' }, '/defaultLanguage'],
  ])('is not made with %j', (wish, pointer) => {
    expect(() => create(wish)).toThrow(InvalidInput);
    expect(() => create(wish)).toThrow(expect.objectContaining({ pointer }));
  });
});

describe('changing a project', () => {
  it('changes what is named and leaves the rest', () => {
    const project = create({ trackingBaseUrl: 'https://links.example.com' });
    project.change({ postalAddress: '1 Main Street\r\nSpringfield' });
    expect(project).toMatchObject({
      name: 'Example',
      trackingBaseUrl: 'https://links.example.com',
      postalAddress: '1 Main Street\nSpringfield',
    });
  });

  it("goes back to the instance's public URL with null", () => {
    const project = create({ trackingBaseUrl: 'https://links.example.com' });
    project.change({ trackingBaseUrl: null });
    expect(project.trackingBaseUrl).toBeNull();
  });

  it('changes nothing when one field is wrong', () => {
    const project = create();
    const changes: ProjectChanges = { name: 'New', timeZone: 'nowhere' };
    expect(() => project.change(changes)).toThrow(expect.objectContaining({ pointer: '/timeZone' }));
    expect(project.name).toBe('Example');
  });
});

describe('the authors of a project', () => {
  const allows = (address: string, authorDomains: readonly string[] = []) => {
    try {
      create({ authorDomains }).requireAuthor(address);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'project.author_refused', pointer: '/content/author/address' });
      return false;
    }
  };

  it.each([
    ['a@news.example.com', true],
    ['a@letters.news.example.com', true],
    ['a@example.com', false],
    ['a@xnews.example.com', false],
    ['a@news.example.com.evil.example', false],
    ['news.example.com@evil.example', false],
    ['a@news.example.org', false],
  ])('may be at its domain and below it, and nowhere else: %s', (address, allowed) => {
    expect(allows(address)).toBe(allowed);
  });

  it('may be where the project allows it', () => {
    expect(allows('a@example.com', ['example.com'])).toBe(true);
    expect(allows('a@shop.example.com', ['Example.COM.'])).toBe(true);
    expect(allows('a@xn--bcher-kva.example', ['Bücher.example'])).toBe(true);
    expect(allows('a@example.org', ['example.com'])).toBe(false);
    expect(allows('a@anything.example', ['*'])).toBe(true);
    expect(create({ authorDomains: ['a.example', 'A.example'] }).authorDomains).toEqual(['a.example']);
  });

  it.each([[['com']], [['*.example.com']], [['a@example.com']], [['example.com', 'x y']], [Array(51).fill('a.example')]])(
    'cannot be allowed at %j',
    (authorDomains) => {
      expect(() => create({ authorDomains })).toThrow(expect.objectContaining({ code: 'input.invalid' }));
    },
  );
});
