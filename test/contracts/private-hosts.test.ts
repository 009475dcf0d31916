import { tmpdir } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { parseTransportSettings, type Transport } from '../../src/domain/delivery/index.ts';
import { HostGuard, isPublicAddress, type ResolvedAddress } from '../../src/infrastructure/network/host-guard.ts';
import { HttpClient } from '../../src/infrastructure/network/http-client.ts';
import { createTransport, type TransportContext } from '../../src/infrastructure/transports/create-transport.ts';
import { startFaultSink } from '../support/fault-sink.ts';
import { dialectOf, to, useProviders } from '../support/provider-fixture.ts';

const { start } = useProviders();
let running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of running.reverse()) await part.close();
  running = [];
});

function strict(input: unknown, more: Partial<TransportContext> = {}): Transport {
  const transport = createTransport(parseTransportSettings(input), {
    slots: 1,
    allowsPrivateHosts: false,
    emlDir: tmpdir(),
    backoff: { minimum: 1, maximum: 2 },
    ...more,
  });
  running.push(transport);
  return transport;
}

const resolvesTo =
  (...addresses: string[]) =>
  async (): Promise<ResolvedAddress[]> =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

describe('an address', () => {
  it.each(['1.1.1.1', '93.184.215.14', '172.32.0.1', '2606:4700::1111', '2a00:1450:4001:80b::200e'])(
    'is public: %s',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '192.0.0.192',
    '198.18.0.1',
    '192.0.2.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:169.254.169.254',
    '::ffff:1.1.1.1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a00:1',
    '2002:7f00:1::',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'fd00:ec2::254',
    'ff02::1',
    '2001:db8::1',
    '4000::1',
    '100::1',
    '',
    'localhost',
    '127.1',
  ])('is not public: %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('the API of a provider', () => {
  it.each([
    'https://127.0.0.1',
    'https://127.1',
    'https://0x7f.1',
    'https://2130706433',
    'https://0177.0.0.1',
    'https://0.0.0.0',
    'https://localhost.',
    'https://[::1]',
    'https://[::]',
    'https://[::ffff:169.254.169.254]',
    'https://[64:ff9b::7f00:1]',
    'https://169.254.169.254/latest',
  ])('is not asked at %s', async (endpoint) => {
    const transport = strict({ ...dialectOf('resend').settings, kind: 'resend', endpoint });
    const attempt = await transport.submit(to('reader@example.net'));
    expect(attempt).toMatchObject({
      outcome: 'deferred',
      fault: 'transport',
      reply: expect.stringContaining('not a public address'),
    });
    await expect(transport.verify()).rejects.toThrow('PENNYPOST_ALLOW_PRIVATE_HOSTS');
  });

  it('is not asked where one of the addresses of its name is private', async () => {
    const fake = await start(() => dialectOf('resend').accepts(['1']));
    const endpoint = `https://api.example.com:${new URL(fake.url).port}`;
    for (const addresses of [['127.0.0.1'], ['1.1.1.1', '127.0.0.1'], ['::ffff:127.0.0.1']]) {
      const transport = strict(
        { ...dialectOf('resend').settings, kind: 'resend', endpoint },
        { lookup: resolvesTo(...addresses) },
      );
      expect(await transport.submit(to('reader@example.net'))).toMatchObject({
        outcome: 'deferred',
        reply: expect.stringContaining(`api.example.com resolves to ${addresses.at(-1)}, which is not a public address`),
      });
    }
    expect(fake.connections()).toBe(0);
  });

  it('is asked where private hosts are allowed', async () => {
    const fake = await start(() => dialectOf('resend').accepts(['1']));
    const settings = { ...dialectOf('resend').settings, kind: 'resend', endpoint: fake.url };
    expect(await strict(settings).submit(to('a@example.net'))).toMatchObject({ outcome: 'deferred' });
    expect(fake.connections()).toBe(0);
    expect(await strict(settings, { allowsPrivateHosts: true }).submit(to('a@example.net'))).toMatchObject({
      outcome: 'submitted',
    });
  });
});

describe('a name', () => {
  it('is looked up once for each connection, which goes to the address that was checked', async () => {
    const fake = await start(() => ({ status: 200, body: 'here' }));
    const port = Number(new URL(fake.url).port);
    let lookups = 0;
    // The second answer of a rebinding server would be private.
    const lookup = async (host: string): Promise<ResolvedAddress[]> => {
      lookups += 1;
      expect(host).toBe('rebinding.example');
      return [{ address: lookups === 1 ? '127.0.0.1' : '10.0.0.1', family: 4 }];
    };
    const client = new HttpClient({
      origin: `http://rebinding.example:${port}`,
      connections: 1,
      guard: new HostGuard({ allowsPrivate: true, lookup }),
    });
    running.push({ close: () => client.destroy('the test ends') });
    const answer = await client.request({ method: 'GET', path: '/', headers: {} });
    expect([answer.text, lookups]).toEqual(['here', 1]);
  });

  it('that has no address fails as such', async () => {
    const client = new HttpClient({
      origin: 'http://nowhere.example',
      connections: 1,
      guard: new HostGuard({ allowsPrivate: false, lookup: resolvesTo() }),
    });
    running.push({ close: () => client.destroy('the test ends') });
    await expect(client.request({ method: 'GET', path: '/', headers: {} })).rejects.toMatchObject({
      handedOver: false,
      message: expect.stringContaining('ENOTFOUND'),
    });
  });
});

describe('an SMTP server', () => {
  it.each(['127.0.0.1', '127.1', '0x7f.1', '2130706433', 'localhost', 'localhost.', '0.0.0.0', '::1', '[::ffff:127.0.0.1]'])(
    'is not connected to at %s',
    async (host) => {
      const sink = await startFaultSink();
      running.push(sink);
      const transport = strict({ kind: 'smtp', host, port: sink.port });
      const attempt = await transport.submit(to('reader@example.net'));
      expect(attempt).toMatchObject({
        outcome: 'deferred',
        fault: 'transport',
        reply: expect.stringContaining('not a public address'),
      });
      await expect(transport.verify()).rejects.toThrow('PENNYPOST_ALLOW_PRIVATE_HOSTS');
      expect(sink.commands).toEqual([]);
    },
  );

  it('is not connected to where its name resolves to a private address', async () => {
    const transport = strict(
      { kind: 'smtp', host: 'relay.example.com', port: 5432 },
      { lookup: resolvesTo('1.1.1.1', '10.0.0.5') },
    );
    expect(await transport.submit(to('reader@example.net'))).toMatchObject({
      outcome: 'deferred',
      reply: expect.stringContaining('relay.example.com resolves to 10.0.0.5, which is not a public address'),
    });
  });

  it('of this machine is used where private hosts are allowed, and by the default transport', async () => {
    const sink = await startFaultSink();
    running.push(sink);
    const transport = strict({ kind: 'smtp', host: 'localhost', port: sink.port }, { allowsPrivateHosts: true });
    expect(await transport.submit(to('reader@example.net'))).toMatchObject({ outcome: 'submitted' });
  });
});
