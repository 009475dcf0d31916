import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import { describe, expect, it } from 'vitest';
import type { Attempt } from '../../src/domain/delivery/index.ts';
import { ehloName } from '../../src/infrastructure/ehlo-name.ts';
import { createSmtpTransport } from '../../src/infrastructure/transports/smtp.ts';
import { parseSmtpUrl } from '../../src/infrastructure/transports/smtp-url.ts';
import { type FaultSink, startFaultSink } from '../support/fault-sink.ts';
import { expiredCertificate, trustedCertificate, wrongNameCertificate } from '../support/sink-certificate.ts';
import { CONTENT, message, outcomes, useSinks } from '../support/sink-fixture.ts';

const { start, transportTo, closeLater } = useSinks();

describe('nodemailer, whose socket we take', () => {
  it('is the version that was looked into', () => {
    const file = createRequire(import.meta.url).resolve('nodemailer/package.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: '10.6.0' });
  });

  it('keeps socket, extensions, size and replies where we look for them, and has one listener for data', async () => {
    const { sink } = await start({ extensions: ['PIPELINING', 'SIZE 1234', 'SMTPUTF8', '8BITMIME', 'CHUNKING'] });
    const connection = new SMTPConnection({ host: '127.0.0.1', port: sink.port });
    await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
    const socket = connection._socket;
    expect(socket).toBeInstanceOf(Socket);
    expect((socket as Socket).listenerCount('data')).toBe(1);
    expect(Reflect.get(connection, '_supportedExtensions')).toEqual(['SMTPUTF8', '8BITMIME', 'PIPELINING', 'SIZE']);
    expect(Reflect.get(connection, '_ehloLines')).toEqual(['PIPELINING', 'SIZE 1234', 'SMTPUTF8', '8BITMIME', 'CHUNKING']);
    expect(Reflect.get(connection, '_maxAllowedSize')).toBe(1234);
    expect(Reflect.get(connection, '_responseQueue')).toEqual([]);
    expect(Reflect.get(connection, '_remainder')).toBe('');
    connection.close();
  });
});

describe('a relay', () => {
  // By its address it is read into one buffer, by its name as nodemailer left it.
  it.each(['127.0.0.1', 'localhost'])('called %s takes what several connections bring', async (host) => {
    const { sink } = await start();
    const transport = transportTo({ host, port: sink.port, maxConnections: 3 });
    const people = Array.from({ length: 60 }, (_, index) => `p${index}@example.net`);
    const attempts = await Promise.all(people.map((person) => transport.submit(message(person))));
    expect(new Set(outcomes(attempts))).toEqual(new Set(['submitted']));
    expect(sink.messages.flatMap((one) => one.to).sort()).toEqual(people.sort());
  });
});

describe('authentication', () => {
  const credentials = { user: 'news@example.com', pass: 'se:cr@t' };
  const url = ({ port }: FaultSink, pass: string): string =>
    `smtp://news%40example.com:${encodeURIComponent(pass)}@127.0.0.1:${port}`;

  it('happens before the first message', async () => {
    const { sink } = await start({ credentials });
    const transport = transportTo({ url: url(sink, credentials.pass) });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'submitted' });
  });

  it('that fails defers the message, says where, and keeps the password to itself', async () => {
    const { sink } = await start({ credentials });
    const transport = transportTo({ url: url(sink, 'wr0ng-pass') });
    const attempt = (await transport.submit(message('a@example.net'))) as Attempt;
    expect(attempt).toMatchObject({ outcome: 'deferred', code: 535, enhancedCode: '5.7.8', fault: 'transport' });
    expect(attempt.reply).toContain(`127.0.0.1:${sink.port} at AUTH PLAIN`);
    expect(attempt.reply).not.toContain('wr0ng-pass');
    await expect(transport.verify()).rejects.toThrow('535 5.7.8');
  });

  it('that is not offered is an error, not mail without it', async () => {
    const { sink } = await start();
    const transport = transportTo({ url: url(sink, 'any') });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({
      outcome: 'deferred',
      reply: expect.stringContaining('does not offer AUTH'),
    });
    expect(sink.messages).toEqual([]);
  });

  it('is asked for at MAIL: the message is deferred, whatever the class of the code', async () => {
    const { transport } = await start({ credentials });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({
      outcome: 'deferred',
      code: 530,
      fault: 'transport',
    });
  });
});

describe('STARTTLS', () => {
  const trusting = { tls: { ca: [trustedCertificate.cert], servername: 'localhost' } };

  it('is used where it is offered, and the whole transaction goes through it', async () => {
    const { sink, transport } = await start({ certificate: trustedCertificate, keepRaw: true }, trusting);
    const results = await Promise.all(Array.from({ length: 50 }, (_, at) => transport.submit(message(`a${at}@example.net`))));
    expect(results.every(({ outcome }) => outcome === 'submitted')).toBe(true);
    expect(sink.messages.every(({ raw }) => raw?.equals(CONTENT))).toBe(true);
    expect(sink.commands.map(({ line }) => line)).toContain('STARTTLS');
  });

  it.each([
    ['a certificate that nobody vouches for', trustedCertificate, {}, /self-signed/],
    ['a certificate for another host', wrongNameCertificate, { ca: [wrongNameCertificate.cert] }, /does not match certificate/],
    ['a certificate out of date', expiredCertificate, { ca: [expiredCertificate.cert] }, /expired/],
  ])('with %s defers and never falls back to plain text', async (_, certificate, tls, reason) => {
    const { sink, transport } = await start({ certificate }, { tls });
    const attempt = (await transport.submit(message('a@example.net'))) as Attempt;
    expect(attempt).toMatchObject({ outcome: 'deferred', fault: 'transport' });
    expect(attempt.reply).toMatch(reason);
    expect(sink.commands.some(({ line }) => line.startsWith('MAIL'))).toBe(false);
  });

  it.each(['454-at-starttls', 'reset-at-starttls', 'fin-at-starttls'])(
    'that ends in %s defers and never falls back',
    async (script) => {
      const { sink, transport } = await start({ certificate: trustedCertificate, script: () => script }, trusting);
      expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'deferred', fault: 'transport' });
      expect(sink.commands.some(({ line }) => line.startsWith('MAIL'))).toBe(false);
    },
  );

  it('that is required and not offered defers', async () => {
    const { sink } = await start();
    const transport = transportTo({ url: `${sink.url}?tls=required` });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'deferred', fault: 'transport' });
    expect(sink.messages).toEqual([]);
  });

  it('is left out with tls=none', async () => {
    const { sink } = await start({ certificate: trustedCertificate });
    const transport = transportTo({ url: `${sink.url}?tls=none` });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'submitted' });
  });
});

describe('a connection', () => {
  it('is kept for the next message and left with QUIT after its share', async () => {
    const { sink, transport } = await start({}, { maxConnections: 1, messagesPerConnection: 10 });
    for (let at = 0; at < 25; at += 1) await transport.submit(message(`a${at}@example.net`));
    expect(sink.connections).toMatchObject({ opened: 3, mostOpen: 1 });
    expect(sink.commands.filter(({ line }) => line === 'QUIT')).toHaveLength(2);
  });

  it('is opened only when a message waits for it, and never more than allowed', async () => {
    const { sink, transport } = await start({}, { maxConnections: 3 });
    expect(sink.connections.opened).toBe(0);
    await transport.submit(message('a@example.net'));
    expect(sink.connections.opened).toBe(1);
    await Promise.all(Array.from({ length: 300 }, (_, at) => transport.submit(message(`slow-1ms+${at}@example.net`))));
    expect(sink.connections.mostOpen).toBe(3);
    expect(transport.stats()).toEqual({ open: 3, busy: 0, opening: 0, waiting: 0, limit: 3, backingOff: 0 });
  });

  it('is left with QUIT when nothing was sent for a while', async () => {
    const { sink, transport } = await start({}, { timeouts: { idle: 50 } });
    await transport.submit(message('a@example.net'));
    await expect.poll(() => sink.commands.at(-1)?.line).toBe('QUIT');
    await expect.poll(() => transport.stats().open).toBe(0);
    expect(await transport.submit(message('b@example.net'))).toMatchObject({ outcome: 'submitted' });
  });

  it('is not tried again at once after a failure: full jitter, doubling', async () => {
    const waits: number[] = [];
    const sink = await startFaultSink({ script: (connection) => (connection <= 4 ? '421-at-greeting' : undefined) });
    closeLater(sink);
    const transport = transportTo({
      url: sink.url,
      maxConnections: 1,
      backoff: { minimum: 4, maximum: 16 },
      random: () => 0.5,
      onEvent: () => waits.push(transport.stats().backingOff),
    });
    const results = await Promise.all(Array.from({ length: 5 }, (_, at) => transport.submit(message(`a${at}@example.net`))));
    expect(results.map(({ outcome }) => outcome)).toEqual(['deferred', 'deferred', 'deferred', 'deferred', 'submitted']);
    expect(waits).toHaveLength(4);
  });

  it('carries a large message in slices, with dots across their borders', async () => {
    const { sink, transport } = await start({ keepRaw: true, readPause: 1 });
    for (const shift of [0, 1, 2, 3]) {
      const content = Buffer.from(`Subject: ${'x'.repeat(shift)}\r\n\r\n${'.\r\n'.repeat(120_000)}.end\r\n`);
      expect(await transport.submit({ ...message('a@example.net'), content })).toMatchObject({ outcome: 'submitted' });
      expect(sink.messages.at(-1)?.raw?.equals(content)).toBe(true);
    }
  });
});

/** Reached on loopback, and not by an address that means this machine. */
const ELSEWHERE = '0.0.0.0';

describe('a password', () => {
  const credentials = { user: 'news', pass: 'secret' };
  const commands = (sink: FaultSink): string => sink.commands.map(({ line }) => line).join('\n');

  it.each([
    ['a URL', (port: number) => ({ url: `smtp://news:secret@${ELSEWHERE}:${port}` })],
    ['a URL with tls=required', (port: number) => ({ url: `smtp://news:secret@${ELSEWHERE}:${port}?tls=required` })],
    ['parts', (port: number) => ({ host: ELSEWHERE, port, auth: credentials })],
    ['parts that do not ask for it', (port: number) => ({ host: ELSEWHERE, port, auth: credentials })],
  ])('is not sent to another machine that does not offer STARTTLS, given by %s', async (_, address) => {
    const { sink } = await start({ credentials, script: () => '502-at-starttls' });
    const transport = transportTo(address(sink.port));
    const attempt = await transport.submit(message('a@example.net'));
    expect(attempt).toMatchObject({ outcome: 'deferred', fault: 'transport', reply: expect.stringContaining('at STARTTLS') });
    expect(attempt).toMatchObject({ reply: expect.stringContaining('without TLS the password is not sent') });
    await expect(transport.verify()).rejects.toThrow('without TLS the password is not sent');
    expect(commands(sink)).not.toMatch(/^(?:AUTH|MAIL)/m);
  });

  it('is sent to this machine as before, and elsewhere with tls=none', async () => {
    const { sink } = await start({ credentials });
    for (const url of [`smtp://news:secret@127.0.0.1:${sink.port}`, `smtp://news:secret@${ELSEWHERE}:${sink.port}?tls=none`])
      expect(await transportTo({ url }).submit(message('a@example.net'))).toMatchObject({ outcome: 'submitted' });
  });

  it('is not needed: mail without one goes on where STARTTLS is not offered', async () => {
    const { sink } = await start();
    const transport = transportTo({ url: `smtp://${ELSEWHERE}:${sink.port}` });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'submitted' });
  });
});

describe('the name in EHLO', () => {
  const nameTold = async (query: string, name?: () => Promise<string | undefined>): Promise<string | undefined> => {
    const { sink } = await start();
    await transportTo({ url: `${sink.url}${query}`, name }).submit(message('a@example.net'));
    return sink.commands.find(({ line }) => line.startsWith('EHLO'))?.line.slice(5);
  };

  it('is that of the URL, or else what the instance calls itself by then', async () => {
    expect(await nameTold('?name=mx1.example.com', async () => 'other.example.com')).toBe('mx1.example.com');
    expect(await nameTold('?name=[192.0.2.7]')).toBe('[192.0.2.7]');
    expect(await nameTold('', async () => 'news.example.com')).toBe('news.example.com');
    expect(await nameTold('', async () => undefined)).toMatch(/^\[|\./);
  });

  it.each([
    ['the host of the public URL', 'https://mail.example.com/news', 'box.example.org', 'news.example.net', 'mail.example.com'],
    ["the machine's full name", 'http://127.0.0.1:8025', 'box.example.org', 'news.example.net', 'box.example.org'],
    ["the first project's domain", undefined, 'box', 'news.example.net', 'news.example.net'],
    [
      "the first project's domain, not a name of one house",
      'http://localhost',
      'box.local',
      'news.example.net',
      'news.example.net',
    ],
    ['no name yet', 'http://[::1]:80', 'localhost.localdomain', undefined, undefined],
  ])('is by default %s', async (_, publicUrl, machine, domain, expected) => {
    const sql = { query: async <Row extends object>() => (domain === undefined ? [] : [{ domain }]) as Row[] };
    expect(await ehloName(publicUrl, sql, machine)).toBe(expected);
  });

  it('does not wait for a database that is away', async () => {
    const sql = { query: () => Promise.reject(new Error('away')) };
    expect(await ehloName(undefined, sql, 'box')).toBeUndefined();
  });
});

describe('the URL of an SMTP server', () => {
  it.each(['http://127.0.0.1:25', 'not a url', 'smtp://', 'smtp://user:hunter2@'])(
    '%s is refused without repeating it',
    (url) => {
      expect(() => createSmtpTransport({ url })).toThrow(/^The SMTP URL must look like/);
    },
  );

  it('may not ask for a kind of TLS that there is not', () => {
    expect(() => createSmtpTransport({ url: 'smtp://127.0.0.1?tls=maybe' })).toThrow(
      'The SMTP URL says tls="maybe"; it can be required, offered or none.',
    );
  });

  it.each([
    ['?tsl=required', 'unknown parameter "tsl". Did you mean tls=?'],
    ['?TLS=required', 'unknown parameter "TLS". Did you mean tls=?'],
    ['?nmae=mail.example.com', 'unknown parameter "nmae". Did you mean name=?'],
    ['?pool=true', 'unknown parameter "pool". It may have tls=, name= and chunking=.'],
    ['?tls=none&tls=required', 'the parameter tls= more than once'],
    ['?chunking=false', 'chunking="false"; it can be yes or no.'],
    ['?name=box', 'name="box"; it must be a full host name'],
    ['?name=127.0.0.1', 'name="127.0.0.1"; it must be a full host name'],
    ['?name=a.example%0d%0aQUIT', 'it must be a full host name'],
    ['?name=', 'it must be a full host name'],
    ['/path', 'has a path'],
    ['#tls=none', 'The user or password in the SMTP URL is not percent-encoded'],
    ['?tls=offered', 'tls=offered with a password'],
  ])('may not end in %s', (end, why) => {
    const url = `smtp://user:hunter2@relay.example.com${end}`;
    expect(() => parseSmtpUrl(url, 'PENNYPOST_SMTP_URL')).toThrow(`PENNYPOST_SMTP_URL`);
    expect(() => parseSmtpUrl(url)).toThrow(why);
    expect(() => parseSmtpUrl(url)).not.toThrow('hunter2');
  });

  it.each([
    ['smtp://relay.example.com', 'offered', 587],
    ['smtp://u:p@relay.example.com', 'required', 587],
    ['smtp://u@relay.example.com:25', 'required', 25],
    ['smtp://u:p@127.example.com', 'required', 587],
    ['smtp://u:p@10.0.0.1', 'required', 587],
    ['smtp://u:p@[2001:db8::1]', 'required', 587],
    ['smtp://u:p@relay.example.com?tls=none', 'none', 587],
    ['smtp://u:p@localhost', 'offered', 587],
    ['smtp://u:p@127.0.0.2', 'offered', 587],
    ['smtp://u:p@[::1]', 'offered', 587],
    ['smtps://u:p@relay.example.com', 'implicit', 465],
    ['smtps://u:p@relay.example.com?tls=required', 'implicit', 465],
  ])('%s means TLS %s at port %i', (url, security, port) => {
    expect(parseSmtpUrl(url)).toMatchObject({ security, port });
  });

  it('contradicts itself with smtps:// and tls=none, and has its password percent-encoded', () => {
    expect(() => parseSmtpUrl('smtps://relay.example.com?tls=none')).toThrow('smtps:// always uses TLS');
    expect(() => parseSmtpUrl('smtp://u:100%@relay.example.com')).toThrow('not percent-encoded');
    expect(parseSmtpUrl('smtp://a%40b:100%25@relay.example.com').auth).toEqual({ user: 'a@b', pass: '100%' });
  });
});
