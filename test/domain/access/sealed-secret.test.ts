import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { KeyRing, SealBroken } from '../../../src/domain/access/index.ts';

const PROJECT = '0192f0c1-2f6a-7c3e-9d0a-5b8a3c1d2e4f';
const OTHER = '0192f0c1-2f6a-7c3e-9d0a-5b8a3c1d2e50';
const PLACE = { table: 'pennypost_delivery.transport', row: '0192f0c1-0000-7000-8000-000000000001', column: 'secrets' };

describe('a sealed credential', () => {
  const old = randomBytes(32);
  const ring = new KeyRing([old]);
  const sealed = ring.seal(PROJECT, 'pässword', PLACE);

  it('opens in its place and holds nothing readable', () => {
    expect(ring.open(PROJECT, sealed, PLACE)).toBe('pässword');
    expect(sealed.toString('latin1')).not.toContain('ssword');
    expect(ring.seal(PROJECT, 'pässword', PLACE).equals(sealed)).toBe(false);
  });

  it('does not open in another project, table, row or column, nor when a bit is changed', () => {
    expect(() => ring.open(OTHER, sealed, PLACE)).toThrow(SealBroken);
    for (const other of [{ table: 'x' }, { row: OTHER }, { column: 'settings' }])
      expect(() => ring.open(PROJECT, sealed, { ...PLACE, ...other })).toThrow(SealBroken);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(() => ring.open(PROJECT, changed, PLACE)).toThrow(SealBroken);
    }
    expect(() => ring.open(PROJECT, sealed.subarray(0, 20), PLACE)).toThrow(SealBroken);
  });

  it('opens under an older key until that is removed, and says that it is to be sealed again', () => {
    const rotated = new KeyRing([randomBytes(32), old]);
    expect(rotated.open(PROJECT, sealed, PLACE)).toBe('pässword');
    expect([ring.sealedBefore(sealed), rotated.sealedBefore(sealed)]).toEqual([false, true]);
    expect(() => new KeyRing([randomBytes(32)]).open(PROJECT, sealed, PLACE)).toThrow(SealBroken);
  });
});
