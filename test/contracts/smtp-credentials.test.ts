import { createHmac } from 'node:crypto';
import { tmpdir } from 'node:os';
import { createServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { parseTransportSettings, type Transport } from '../../src/domain/delivery/index.ts';
import { createTransport, type TransportContext } from '../../src/infrastructure/transports/create-transport.ts';
import { startFakeProvider } from '../support/fake-provider.ts';
import { startFaultSink } from '../support/fault-sink.ts';
import { trustedCertificate, wrongNameCertificate } from '../support/sink-certificate.ts';
import { message } from '../support/sink-fixture.ts';
import { startSinkTalker } from '../support/sink-talker.ts';

let running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of running.reverse()) await part.close();
  running = [];
});

function transportTo(input: Readonly<Record<string, unknown>>, more: Partial<TransportContext> = {}): Transport {
  const transport = createTransport(parseTransportSettings({ kind: 'smtp', host: '127.0.0.1', tls: 'none', ...input }), {
    slots: 1,
    allowsPrivateHosts: true,
    emlDir: tmpdir(),
    backoff: { minimum: 1, maximum: 2 },
    ...more,
  });
  running.push(transport);
  return transport;
}

/** An SMTP server that offers one mechanism. @param dialogue what it says to each line of the authentication; undefined: 235 or 535 by `ok` */
async function offering(mechanism: string, reply: (line: string) => string) {
  let authenticating = false;
  const talker = await startSinkTalker((socket, heard) => {
    if (heard === undefined) return void socket.write('220 sink.example ESMTP\r\n');
    for (const line of heard.split('\r\n').slice(0, -1)) {
      if (/^(?:EHLO|HELO)/.test(line)) socket.write(`250-sink.example\r\n250 AUTH ${mechanism}\r\n`);
      else if (authenticating || line.startsWith('AUTH')) {
        const said = reply(line);
        authenticating = said.startsWith('334');
        socket.write(`${said}\r\n`);
      } else socket.end('221 Bye\r\n');
    }
  });
  running.push(talker);
  return { port: Number(new URL(talker.url).port), heard: () => talker.heard.flat().join('') };
}

const bearer = (line: string): string => Buffer.from(line.replace('AUTH XOAUTH2 ', ''), 'base64').toString();

describe('AUTH', () => {
  it('LOGIN sends user and password when they are asked for', async () => {
    const asked = ['334 VXNlcm5hbWU6', '334 UGFzc3dvcmQ6', '235 2.7.0 Welcome'];
    const said: string[] = [];
    const server = await offering('LOGIN', (line) => {
      said.push(line);
      return asked[said.length - 1] ?? '535 5.7.8 No';
    });
    await transportTo({ port: server.port, user: 'news', password: 'pässword' }).verify();
    expect(said.map((line, at) => (at === 0 ? line : Buffer.from(line, 'base64').toString()))).toEqual([
      'AUTH LOGIN',
      'news',
      'pässword',
    ]);
  });

  it('CRAM-MD5 proves the password without sending it', async () => {
    const challenge = '<1896.697170952@sink.example>';
    const server = await offering('CRAM-MD5', (line) => {
      if (line === 'AUTH CRAM-MD5') return `334 ${Buffer.from(challenge).toString('base64')}`;
      const expected = `news ${createHmac('md5', 'hush-hush').update(challenge).digest('hex')}`;
      return Buffer.from(line, 'base64').toString() === expected ? '235 2.7.0 Welcome' : '535 5.7.8 No';
    });
    await transportTo({ port: server.port, user: 'news', password: 'hush-hush' }).verify();
    expect(server.heard()).not.toContain('hush-hush');
  });

  it('XOAUTH2 sends the access token', async () => {
    const server = await offering('PLAIN XOAUTH2', (line) =>
      bearer(line) === 'user=news@example.com\u0001auth=Bearer ya29.token\u0001\u0001' ? '235 2.7.0 Welcome' : '535 5.7.8 No',
    );
    await transportTo({ port: server.port, user: 'news@example.com', accessToken: 'ya29.token' }).verify();
  });

  it('XOAUTH2 answers the challenge that holds the error, and says what the server said', async () => {
    const server = await offering('XOAUTH2', (line) =>
      line === '' ? '535 5.7.8 Username and Password not accepted' : `334 ${Buffer.from('{"status":"400"}').toString('base64')}`,
    );
    const transport = transportTo({ port: server.port, user: 'news@example.com', accessToken: 'ya29.expired' });
    const attempt = await transport.submit(message('a@example.net'));
    expect(attempt).toMatchObject({ outcome: 'deferred', code: 535, enhancedCode: '5.7.8', fault: 'transport' });
    expect(JSON.stringify(attempt)).toContain('Username and Password not accepted');
    expect(JSON.stringify(attempt)).not.toMatch(/expired|eWEyOS/);
  });

  it.each([
    ['PLAIN', { password: 'hush-hush' }],
    ['LOGIN', { password: 'hush-hush' }],
    ['XOAUTH2', { accessToken: 'ya29.hush-hush' }],
  ])('%s shows no credential when the server repeats what it refuses', async (mechanism, secret) => {
    const lines: string[] = [];
    const server = await offering(mechanism, (line) => {
      if (line === 'AUTH LOGIN' || (mechanism === 'LOGIN' && lines.push(line) === 1)) return '334 VXNlcm5hbWU6';
      return `535 5.7.8 Not understood: ${line}`;
    });
    const attempt = await transportTo({ port: server.port, user: 'news', ...secret }).submit(message('a@example.net'));
    expect(attempt).toMatchObject({ code: 535, reply: expect.stringMatching(/Not understood: .*\*{3}/) });
    const sent = [...server.heard().matchAll(/[A-Za-z0-9+/=]{12,}/g)].map(([word]) => word);
    expect(sent.filter((word) => JSON.stringify(attempt).includes(word))).toEqual([]);
  });

  it('is not tried where the server does not offer it', async () => {
    const server = await offering('', () => '235 2.7.0 Welcome');
    const transport = transportTo({ port: server.port, user: 'news@example.com', accessToken: 'ya29.token' });
    await expect(transport.verify()).rejects.toThrow('does not offer AUTH');
    expect(server.heard()).not.toContain('AUTH');
  });
});

describe('an access token', () => {
  const settings = { user: 'news@example.com', clientId: 'client', clientSecret: 'client-hush', refreshToken: 'refresh-hush' };

  it('is refreshed once for all connections, again when it ends, and after a refusal', async () => {
    let issued = 0;
    let now = 0;
    const tokens = await startFakeProvider(({ path, body }) => {
      expect([path, Object.fromEntries(new URLSearchParams(body.toString()))]).toEqual([
        '/token',
        { grant_type: 'refresh_token', refresh_token: 'refresh-hush', client_id: 'client', client_secret: 'client-hush' },
      ]);
      issued += 1;
      return { status: 200, body: JSON.stringify({ access_token: `token-${issued}`, expires_in: 3_600 }) };
    });
    running.push(tokens);
    const accepted: string[] = [];
    let refuses = false;
    const server = await offering('XOAUTH2', (line) => {
      if (refuses) return '535 5.7.8 Revoked';
      accepted.push(/Bearer ([\w-]+)/.exec(bearer(line))?.[1] ?? '');
      return '235 2.7.0 Welcome';
    });
    const transport = transportTo(
      { ...settings, port: server.port, tokenUrl: `${tokens.url}/token` },
      { slots: 3, clock: { monotonic: () => now } },
    );
    await Promise.all([transport.verify(), transport.verify()]);
    now = 3_539_000;
    await transport.verify();
    expect(accepted).toEqual(['token-1', 'token-1', 'token-1']);
    now = 3_541_000;
    await transport.verify();
    expect(accepted.at(-1)).toBe('token-2');
    refuses = true;
    await expect(transport.verify()).rejects.toThrow('Revoked');
    refuses = false;
    await transport.verify();
    expect(accepted.at(-1)).toBe('token-3');
  });

  it('that is refused says the word of the server, and no credential', async () => {
    for (const [answer, words] of [
      [{ status: 400, body: '{"error":"invalid_grant","error_description":"refresh-hush"}' }, '400 invalid_grant'],
      [{ status: 200, body: '{"access_token":"a\\r\\nb"}' }, 'no access token'],
      [{ status: 502, body: '<html>client-hush</html>' }, '502'],
      ['cut', 'No connection'],
    ] as const) {
      const tokens = await startFakeProvider(() => answer);
      running.push(tokens);
      const server = await offering('XOAUTH2', () => '235 2.7.0 Welcome');
      const transport = transportTo({ ...settings, port: server.port, tokenUrl: `${tokens.url}/token` });
      const attempt = await transport.submit(message('a@example.net'));
      expect(attempt).toMatchObject({ outcome: 'deferred', fault: 'transport' });
      expect(JSON.stringify(attempt)).toContain(words);
      expect(JSON.stringify(attempt)).not.toContain('hush');
      expect(server.heard()).toBe('');
    }
  });

  it('is not asked for at a private address of a project', async () => {
    const transport = transportTo(
      { ...settings, host: '192.0.2.7', port: 25, tokenUrl: 'https://169.254.169.254/token' },
      { allowsPrivateHosts: false, lookup: async () => [{ address: '1.1.1.1', family: 4 }] },
    );
    await expect(transport.verify()).rejects.toThrow('not a public address');
  });
});

describe('a client certificate', () => {
  /** Wants a certificate that `trustedCertificate` signed, from the first byte on. */
  async function demanding(): Promise<number> {
    const server = createServer(
      { ...trustedCertificate, requestCert: true, rejectUnauthorized: true, ca: trustedCertificate.cert },
      (socket) => {
        socket.on('error', () => undefined);
        socket.write('220 sink.example ESMTP\r\n');
        socket.on('data', (chunk) => socket.write(String(chunk).startsWith('QUIT') ? '221 Bye\r\n' : '250 sink.example\r\n'));
      },
    );
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    running.push({
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
        }),
    });
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }
  const secure = { tls: 'implicit', authority: trustedCertificate.cert };
  const proof = ({ cert, key }: { cert: string; key: string }) => ({ certificate: cert, privateKey: key });

  it('opens a server that asks for it', async () => {
    const port = await demanding();
    await transportTo({ ...secure, port, ...proof(trustedCertificate) }).verify();
  });

  it('of another authority, or none, does not', async () => {
    const port = await demanding();
    for (const other of [proof(wrongNameCertificate), {}])
      await expect(transportTo({ ...secure, port, ...other }).verify()).rejects.toThrow(`No connection to 127.0.0.1:${port}`);
  });

  it('of the server must name the host, also where the host is resolved to the address that is connected to', async () => {
    const sink = await startFaultSink({ certificate: trustedCertificate });
    running.push(sink);
    const lookup = async () => [{ address: '127.0.0.1', family: 4 }];
    const byName = (host: string) =>
      transportTo({ host, port: sink.port, tls: 'required', authority: trustedCertificate.cert }, { lookup });
    await byName('localhost').verify();
    await expect(byName('sink.invalid').verify()).rejects.toThrow(/No connection to sink\.invalid/);
  });
});
