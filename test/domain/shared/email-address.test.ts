import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddressee, parseEmailAddress } from '../../../src/domain/shared/email-address.ts';
import { InvalidInput } from '../../../src/domain/shared/errors.ts';

const refusal = (text: string): string => {
  try {
    parseEmailAddress(text, '/email');
  } catch (error) {
    if (error instanceof InvalidInput) return `${error.pointer} ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('an e-mail address', () => {
  it('keeps the written case and compares case-folded', () => {
    expect(parseEmailAddress('B.Meyer@EX.org')).toEqual({
      address: 'B.Meyer@ex.org',
      key: 'b.meyer@ex.org',
      domain: 'ex.org',
      smtputf8: false,
    });
    expect(parseEmailAddress('b.meyer@ex.org').key).toBe(parseEmailAddress('B.Meyer@EX.org').key);
  });

  it.each([
    ['x@bücher.example', 'xn--bcher-kva.example'],
    ['x@BÜCHER.example', 'xn--bcher-kva.example'],
    ['x@bu\u0308cher.example', 'xn--bcher-kva.example'],
    ['x@xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['x@XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
    ['x@good\u3002com', 'good.com'],
    ['x@faß.de', 'xn--fa-hia.de'],
    ['x@fass.de', 'fass.de'],
    ['x@ex\u00adample.com', 'example.com'],
    ['x@пример.рф', 'xn--e1afmkfd.xn--p1ai'],
    ['x@क\u094d\u200dष.com', 'xn--11b2ezcw70k.com'],
    ['x@ab--cd.com', 'ab--cd.com'],
  ])('reads the domain of %s as %s', (text, domain) => {
    expect(parseEmailAddress(text).domain).toBe(domain);
  });

  it('marks a local part that needs SMTPUTF8, in NFC', () => {
    expect(parseEmailAddress('mu\u0308ller@ex.org')).toMatchObject({ address: 'müller@ex.org', smtputf8: true });
    expect(parseEmailAddress('😀@пример.рф')).toMatchObject({ address: '😀@xn--e1afmkfd.xn--p1ai', smtputf8: true });
    expect(parseEmailAddress('x@пример.рф').smtputf8).toBe(false);
  });

  it('drops the spaces around it', () => {
    expect(parseEmailAddress(' \u00a0a@b.example  ').address).toBe('a@b.example');
  });

  it.each([
    ['', 'is required'],
    ['   ', 'is required'],
    ['peter', '"@" is missing'],
    ['@ex.org', 'before the "@"'],
    ['peter@', 'after the "@"'],
    ['a@b@ex.org', 'more than one "@"'],
    ['a@ex.org, b@ex.org', 'comma'],
    ['Peter <a@ex.org>', 'names, angle brackets'],
    ['Peter a@ex.org', 'without a name'],
    ['<@h1:u@ex.org>', 'route'],
    ['@h1:u@ex.org', 'routes'],
    ['user@good-corp.com(x)evil.com', 'comments'],
    ['(x)user@ex.org', 'comments'],
    ['g: a@ex.org, c@ex.org;', 'groups'],
    ['mailto:a@ex.org', 'mailto'],
    ['"xclow3n@gmail.com x"@internal.domain', 'quoted'],
    ['.a@ex.org', 'dot at its start'],
    ['a.@ex.org', 'dot at its start or end'],
    ['a..b@ex.org', 'two in a row'],
    ['a\\b@ex.org', 'needs quoting'],
    ['a\u200b@ex.org', 'invisible'],
    ['a\u202eb@ex.org', 'invisible'],
    ['a@localhost', 'no dot'],
    ['a@ex.org.', 'ends in a dot'],
    ['a@ex.org\u3002', 'ends in a dot'],
    ['a@.org', 'two dots'],
    ['a@ex..org', 'two dots'],
    ['a@[127.0.0.1]', 'literal'],
    ['a@[IPv6:::1]', 'literal'],
    ['a@127.0.0.1', 'IP address'],
    ['a@0x7f.1', 'IP address'],
    ['a@１２７.0.0.1', 'IP address'],
    ['a@-ex.org', 'label'],
    ['a@ex-.org', 'label'],
    ['a@ex_a.org', 'is not allowed in a domain'],
    ['a@ex.org/x', 'is not allowed in a domain'],
    ['a@%65x.org', 'is not allowed in a domain'],
    ['a@ex.org:25', 'groups, routes'],
    ['a@a\u200db.com', 'not a valid'],
    ['a@xn--junk-.com', 'label'],
    ['a@xn--zzzz.com', 'internationalised label'],
    ['a@xn--abc-.xn--p1ai', 'label'],
    ['a@xn--.com', 'label'],
    ['a@ex\ufffd.org', 'encoding'],
    ['a\ud800@ex.org', 'encoding'],
    [`a@${'x'.repeat(64)}.org`, 'label'],
  ])('refuses %j and says why', (text, reason) => {
    expect(refusal(text)).toMatch(/^\/email /);
    expect(refusal(text)).toContain(reason);
  });

  it.each(['\r\n', '\n', '\r', '\0', '\t', '\u0085', '\u2028', '\u2029', '\x7f'])(
    'refuses the control character %j anywhere',
    (control) => {
      for (const text of [
        `${control}a@ex.org`,
        `a${control}b@ex.org`,
        `a@ex.org${control}`,
        `a@ex${control}.org`,
        `a@ex.org${control}Bcc: b@ex.org`,
      ]) {
        expect(refusal(text)).toContain('control character');
        expect(refusal(text)).not.toContain(control);
      }
    },
  );

  it('counts octets: 64 before the "@", 254 in all', () => {
    const domain = (length: number): string =>
      `${`${'a'.repeat(50)}.`
        .repeat(10)
        .slice(0, length - 4)
        .replace(/\.$/, 'a')}.org`;
    expect(refusal(`${'a'.repeat(64)}@ex.org`)).toBe('accepted');
    expect(refusal(`${'a'.repeat(65)}@ex.org`)).toContain('64 octets');
    expect(refusal(`${'ü'.repeat(32)}@ex.org`)).toBe('accepted');
    expect(refusal(`${'ü'.repeat(32)}a@ex.org`)).toContain('64 octets');
    expect(refusal(`${'a'.repeat(64)}@${domain(189)}`)).toBe('accepted');
    expect(refusal(`${'a'.repeat(64)}@${domain(190)}`)).toContain('254 octets');
    expect(refusal(`a@${domain(252)}`)).toBe('accepted');
    expect(refusal(`a@${domain(253)}`)).toContain('254 octets');
    expect(refusal(`a@${domain(256)}`)).toContain('255 octets');
  });

  it('shows at most 80 characters of what was written', () => {
    expect(refusal('x'.repeat(100_000)).length).toBeLessThan(200);
  });
});

describe('any text', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.emailAddress(),
    fc
      .tuple(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.webUrl().map((url) => new URL(url).hostname),
      )
      .map(([local, domain]) => `${local}@${domain}`),
    fc
      .tuple(fc.emailAddress(), fc.string({ unit: 'binary', maxLength: 2 }), fc.nat(40))
      .map(([text, odd, at]) => text.slice(0, at) + odd + text.slice(at)),
  );

  it('is either refused as invalid input or becomes an address that is safe in a header and an SMTP command', () => {
    fc.assert(
      fc.property(anything, (text) => {
        if (refusal(text) !== 'accepted') return;
        const { address, key, domain, smtputf8 } = parseEmailAddress(text);
        expect(address).toMatch(/^[^\s\p{Cc}\p{Cf}<>()[\]:;,"\\@]+@[a-z0-9.-]+$/u);
        expect(address.endsWith(`@${domain}`)).toBe(true);
        expect(Buffer.byteLength(address)).toBeLessThanOrEqual(254);
        expect(smtputf8).toBe(/[^\0-\x7f]/.test(address));
        expect(key).toBe(key.normalize('NFC'));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is read the same when read again: parsing is idempotent, and so is the key', () => {
    fc.assert(
      fc.property(anything, (text) => {
        if (refusal(text) !== 'accepted') return;
        const once = parseEmailAddress(text);
        expect(parseEmailAddress(once.address)).toEqual(once);
        if (refusal(once.key) === 'accepted') expect(parseEmailAddress(once.key).key).toBe(once.key);
      }),
      { numRuns: 2_000 },
    );
  });

  it('of a letter domain survives the way to A-labels and back in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...'äöüßéñçабвгдежзλμνξ日本語中文한국어aZ9'), { minLength: 1, maxLength: 15 }),
        (letters) => {
          const text = `x@${letters.join('')}.example`;
          if (refusal(text) !== 'accepted') return;
          const { domain } = parseEmailAddress(text);
          expect(parseEmailAddress(`x@${domain}`).domain).toBe(domain);
        },
      ),
    );
  });
});

describe('an addressee as people write it', () => {
  it.each([
    'ada@example.com',
    'Ada Lee <ada@example.com>',
    '"Lee, Ada" <ada@example.com>',
    '"c <x@y.example>" < ada@example.com >',
    'boss@example.org <ada@example.com>',
    '<ada@example.com>',
    '  Ада   <ada@Example.com>  ',
  ])('%s is ada@example.com', (text) => {
    expect(parseAddressee(text).address).toBe('ada@example.com');
  });

  it.each([
    'Ada <ada@example.com>, Bob <bob@example.com>',
    'Ada <ada@example.com> (home)',
    'Ada <ada@example.com',
    'Ada\r\nBcc: x <ada@example.com>',
    'Ada <>',
    'Ada <Bob <bob@example.com>>',
    'Ada ada@example.com',
  ])('%j is refused', (text) => {
    expect(() => parseAddressee(text, '/to')).toThrow(InvalidInput);
  });
});
