import { describe, expect, it } from 'vitest';
import { parseTransportSettings, secretSettings, TRANSPORT_KINDS } from '../../../src/domain/delivery/index.ts';
import { InvalidInput } from '../../../src/domain/shared/errors.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';
const SMTP = { kind: 'smtp', host: 'relay.example.com' };

function refusal(input: unknown): InvalidInput {
  try {
    parseTransportSettings(input);
  } catch (error) {
    if (error instanceof InvalidInput) return error;
    throw error;
  }
  throw new Error('The settings were accepted.');
}

describe('the settings of a transport', () => {
  it.each([
    [SMTP, { host: 'relay.example.com', chunking: true, tls: undefined, port: undefined }],
    [
      { ...SMTP, host: '[2001:db8::1]', port: '2525', chunking: 'no' },
      { host: '2001:db8::1', port: 2525, chunking: false },
    ],
    [
      { ...SMTP, user: 'a', password: 'pässword', tls: 'implicit' },
      { user: 'a', password: 'pässword', tls: 'implicit' },
    ],
    [{ ...SMTP, certificate: PEM, privateKey: PEM }, { certificate: `${PEM}\n` }],
    [
      { kind: 'mailgun', apiKey: 'key-1', domain: 'Mail.Example.com' },
      { domain: 'mail.example.com', region: 'us' },
    ],
    [{ kind: 'postmark', serverToken: 't', messageStream: null }, { messageStream: undefined }],
    [{ kind: 'resend', apiKey: 're_1', endpoint: 'http://127.0.0.1:8080/' }, { endpoint: 'http://127.0.0.1:8080' }],
    [{ kind: 'directory', path: 'project-1/out' }, { path: 'project-1/out' }],
  ])('are read: %j', (input, expected) => {
    expect(parseTransportSettings(input)).toMatchObject({ kind: input.kind, ...expected });
  });

  it.each([
    ['text', ''],
    [{ kind: 'carrier-pigeon' }, '/kind'],
    [{ kind: '__proto__' }, '/kind'],
    [{ kind: 'postmark' }, '/serverToken'],
    [{ kind: 'postmark', serverToken: ' ' }, '/serverToken'],
    [{ kind: 'postmark', serverToken: 'a\r\nHost: evil' }, '/serverToken'],
    [{ kind: 'postmark', serverTokn: 'a' }, '/serverTokn'],
    [{ kind: 'postmark', serverToken: 't', constructor: 'a' }, '/constructor'],
    [{ kind: 'mailgun', apiKey: 'k', domain: 'example.com/../../routes' }, '/domain'],
    [{ kind: 'mailgun', apiKey: 'k', domain: 'example.com', region: 'mars' }, '/region'],
    [{ kind: 'resend', apiKey: 'k', endpoint: 'http://api.example.com' }, '/endpoint'],
    [{ kind: 'resend', apiKey: 'k', endpoint: 'https://user:secret@api.example.com' }, '/endpoint'],
    [{ kind: 'resend', apiKey: 'k', endpoint: 'file:///etc/passwd' }, '/endpoint'],
    [{ kind: 'amazon_ses', region: 'eu-west-1.evil.example', accessKeyId: 'A'.repeat(20), secretAccessKey: 's' }, '/region'],
    [{ kind: 'directory', path: '/etc' }, '/path'],
    [{ kind: 'directory', path: 'a/../../b' }, '/path'],
    [{ kind: 'directory', path: '.ssh' }, '/path'],
    [{ ...SMTP, host: 'relay.example.com\r\nX' }, '/host'],
    [{ ...SMTP, port: 70_000 }, '/port'],
    [{ ...SMTP, user: 'a' }, '/user'],
    [{ ...SMTP, password: 'a' }, '/user'],
    [{ ...SMTP, user: 'a', password: 'b', accessToken: 'c' }, '/password'],
    [{ ...SMTP, user: 'a', password: 'b', tls: 'offered' }, '/tls'],
    [{ ...SMTP, user: 'a', refreshToken: 'b' }, '/tokenUrl'],
    [{ ...SMTP, certificate: PEM }, '/privateKey'],
    [{ ...SMTP, authority: 'not PEM' }, '/authority'],
  ])('are refused with a pointer: %j', (input, pointer) => {
    expect(refusal(input).pointer).toBe(pointer);
  });

  it('never stand in the text of a refusal', () => {
    expect(refusal({ kind: 'resend', apiKey: 'hush hush' }).message).not.toContain('hush');
    expect(refusal({ ...SMTP, host: 'hush hush' }).message).not.toContain('hush');
  });

  it('name what is secret, in every kind that has credentials', () => {
    expect(Object.fromEntries(TRANSPORT_KINDS.map((kind) => [kind, secretSettings(kind)]))).toEqual({
      smtp: ['password', 'accessToken', 'clientSecret', 'refreshToken', 'privateKey'],
      amazon_ses: ['secretAccessKey', 'sessionToken'],
      mailgun: ['apiKey'],
      postmark: ['serverToken'],
      sendgrid: ['apiKey'],
      sparkpost: ['apiKey'],
      brevo: ['apiKey'],
      resend: ['apiKey'],
      directory: [],
    });
  });
});
