import { tmpdir } from 'node:os';
import { afterEach } from 'vitest';
import {
  type Attempt,
  type OutgoingMessage,
  parseTransportSettings,
  type Transport,
  type Withdrawn,
} from '../../src/domain/delivery/index.ts';
import { createTransport, type TransportContext } from '../../src/infrastructure/transports/create-transport.ts';
import { DIALECTS, type Dialect, type FakeAnswer, type FakeRequest, startFakeProvider } from './fake-provider.ts';

export const CONTENT = Buffer.from(
  'From: <news@example.com>\r\nTo: <reader@example.net>\r\nSubject: Hi\r\nMessage-ID: <1@example.com>\r\n\r\nHello.\r\n',
);
export const to = (address: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  envelope: { from: 'b+1@bounces.example.com', to: address, smtputf8: false },
  content: CONTENT,
  ...more,
});

export const html = (status: number): FakeAnswer => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: `<html><head><style>p { color: red }</style><title>${status}</title></head><body><h1>Bad\u0000 proxy</h1>\r\n<p>Try later.</p></body></html>`,
});
export const submitOne = (transport: Transport): Promise<Attempt | Withdrawn> => transport.submit(to('reader@example.net'));

export function dialectOf(kind: string): Dialect {
  const found = DIALECTS.find((dialect) => dialect.kind === kind);
  if (found === undefined) throw new Error(`There is no dialect of ${kind}.`);
  return found;
}

/** Fake providers and transports that end with the test. */
export function useProviders() {
  let running: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const part of running.reverse()) await part.close();
    running = [];
  });
  const transportTo = (dialect: Dialect, endpoint: string, more: Partial<TransportContext> = {}): Transport => {
    const settings = parseTransportSettings({ kind: dialect.kind, endpoint, ...dialect.settings });
    const transport = createTransport(settings, {
      slots: 1,
      allowsPrivateHosts: true,
      emlDir: tmpdir(),
      backoff: { minimum: 1, maximum: 2 },
      closeTimeout: 1_000,
      ...more,
    });
    running.push(transport);
    return transport;
  };
  const start = async (answer: (request: FakeRequest) => FakeAnswer) => {
    const fake = await startFakeProvider(answer);
    running.push(fake);
    return fake;
  };
  return {
    transportTo,
    start,
    /** A provider that gives these answers in turn, and the last of them for ever. */
    async answering(dialect: Dialect, answers: readonly FakeAnswer[], more: Partial<TransportContext> = {}) {
      let at = -1;
      const fake = await start(() => {
        at = Math.min(at + 1, answers.length - 1);
        return answers[at] ?? 'hang';
      });
      return { fake, transport: transportTo(dialect, fake.url, more) };
    },
  };
}
