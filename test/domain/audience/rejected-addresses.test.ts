import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressesIn } from '../../../src/domain/audience/index.ts';

describe('the addresses in a rejected row', () => {
  it.each([
    ['ADA@Example.com', ['ada@example.com']],
    ['Ada <ada@example.com>, Bob <bob@example.com>', ['ada@example.com', 'bob@example.com']],
    ['mailto:ada@example.com?subject=x', ['ada@example.com']],
    ['{"email":"ada@example.com","x":1}', ['ada@example.com']],
    ['see ada@example.com.', ['ada@example.com']],
    ['ada@example.com...', ['ada@example.com']],
    ['ada@example.com-', ['ada@example.com']],
    ['x.ada@example.com.au', ['x.ada@example.com.au']],
    ["'ada@example.com'", ["'ada@example.com", 'ada@example.com']],
    ["o'neil@b\u00fccher.example", ["o'neil@xn--bcher-kva.example", 'neil@xn--bcher-kva.example']],
    ['\u200bada@example.com\u200b', ['ada@example.com']],
    ['…ada@example.com…', ['…ada@example.com', 'ada@example.com']],
    ['unsubscribe?e%3Dx;ada%40example.com', ['ada@example.com']],
    ['ada&#64;example.com', ['ada@example.com']],
    ['ada @ example.com', ['ada@example.com']],
    ['"ada"@example.com', ['ada@example.com']],
    ['ada\uff20example.com', ['ada@example.com']],
    ['ada@exa\u200bmple.com', ['ada@example.com']],
    ['ada@example.com\nbob@example.com', ['ada@example.com', 'bob@example.com']],
    ['nonsense, @, a@, @b, a@b', []],
  ])('%s', (text, keys) => {
    expect(new Set(addressesIn([text]))).toEqual(new Set(keys));
  });

  it('are found whatever stands around them', () => {
    const around = fc.string({
      unit: fc.constantFrom(' ', '"', ';', '<', '>', '(', ':', '\n', '=', '|', '*', '#'),
      maxLength: 5,
    });
    fc.assert(
      fc.property(around, around, (before, after) => {
        expect(addressesIn(['x', `${before}ada.l-o+v@example.com${after}`])).toContain('ada.l-o+v@example.com');
      }),
    );
  });

  it('are not looked through without end', () => {
    expect(addressesIn([Array.from({ length: 51 }, (_, index) => `a${index}@example.com`).join(' ')])).toBeUndefined();
    expect(addressesIn([Array.from({ length: 50 }, (_, index) => `a${index}@example.com`).join(' ')])).toHaveLength(50);
  });
});
