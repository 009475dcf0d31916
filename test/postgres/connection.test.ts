import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeConnection, parseDatabaseUrl } from '../../src/infrastructure/postgres/connection.ts';

describe('a database URL', () => {
  it('names user, password, host, port and database', () => {
    expect(parseDatabaseUrl('postgresql://ann:secret@db.example:6543/mail')).toEqual({
      host: 'db.example',
      port: 6543,
      user: 'ann',
      password: 'secret',
      database: 'mail',
    });
  });

  it.each([
    ['postgres://h/d', { host: 'h', port: 5432, user: 'postgres', password: '', database: 'd' }],
    ['postgresql:///d', { host: 'localhost', database: 'd' }],
    ['postgresql://u:p@/d?host=/var/run/postgresql', { host: '/var/run/postgresql', user: 'u', password: 'p', database: 'd' }],
    ['postgresql://%2Frun%2Fpg/d', { host: '/run/pg' }],
    ['postgresql://[::1]:5433/d', { host: '::1', port: 5433 }],
    ['postgresql://u:p%40ss%2Fw%3Ard@h/d%20b', { password: 'p@ss/w:rd', database: 'd b' }],
    ['postgresql://h/?dbname=d&user=u&password=p&port=9', { user: 'u', password: 'p', database: 'd', port: 9 }],
    ['postgresql://h/d?sslmode=require', { ssl: { rejectUnauthorized: false } }],
    ['postgresql://h/d?sslmode=verify-full', { ssl: true }],
  ])('%s', (url, expected) => {
    expect(parseDatabaseUrl(url)).toMatchObject(expected);
  });

  it.each([
    ['mysql://h/d', /must look like/],
    ['h/d', /must look like/],
    ['postgresql://u:p@ss@h/d', /%40/],
    ['postgresql://h', /names no database/],
    ['postgresql://h/', /names no database/],
    ['postgresql://h:0/d', /port/],
    ['postgresql://h:65536/d', /port/],
    ['postgresql://h/d?sslmode=maybe', /sslmode "maybe"/],
    ['postgresql://u:%zz@h/d', /%/],
  ])('%s is refused', (url, message) => {
    expect(() => parseDatabaseUrl(url)).toThrow(message);
  });

  it('gives back whatever was written into it, percent-encoded', () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme' });
    fc.assert(
      fc.property(text, text, text, fc.integer({ min: 1, max: 65_535 }), (user, password, database, port) => {
        const url = `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h:${port}/${encodeURIComponent(database)}`;
        expect(parseDatabaseUrl(url)).toEqual({ host: 'h', port, user, password, database });
      }),
    );
  });

  it('never shows its password, neither refused nor described', () => {
    expect(() => parseDatabaseUrl('postgresql://u:topsecret@h')).toThrow(expect.not.stringContaining('topsecret'));
    expect(describeConnection(parseDatabaseUrl('postgresql://u:topsecret@h:5433/d'))).toBe('database "d" at h:5433 as u');
  });
});
