import { afterEach } from 'vitest';
import type { Attempt, OutgoingMessage, Withdrawn } from '../../src/domain/delivery/index.ts';
import { createSmtpTransport, type SmtpTransportOptions } from '../../src/infrastructure/transports/smtp.ts';
import { EXTENSIONS, type FaultSinkOptions, startFaultSink } from './fault-sink.ts';
import { startSinkTalker } from './sink-talker.ts';

export const CONTENT = Buffer.from('Subject: Hello\r\nMessage-ID: <1@example.com>\r\n\r\nHello.\r\n');
/** More than the buffers of two sockets hold. */
export const MEGABYTES = Buffer.from(`Subject: Big\r\n\r\n${`${'x'.repeat(76)}\r\n`.repeat(160_000)}`);

interface Sent {
  from?: string;
  content?: Buffer;
  proceed?: () => boolean;
  smtputf8?: boolean;
}

export function message(
  to: string,
  { from = 'b+1@bounces.example.com', content = CONTENT, smtputf8 = false, proceed }: Sent = {},
): OutgoingMessage {
  return { envelope: { from, to, smtputf8 }, content, proceed };
}

export const outcomes = (results: readonly (Attempt | Withdrawn)[]): string[] => results.map((result) => result.outcome);

export const CHUNKING = [...EXTENSIONS, 'CHUNKING'];
/** The two ways in which a content goes over the wire, and what a sink offers for them. */
export const DIALOGUES: readonly (readonly [string, { readonly extensions: readonly string[]; readonly chunking: boolean }])[] = [
  ['DATA', { extensions: EXTENSIONS, chunking: false }],
  ['BDAT', { extensions: CHUNKING, chunking: true }],
];

/** Sinks and transports that end with the test. @param extensions of every sink that is not told others */
export function useSinks(extensions: readonly string[] = EXTENSIONS) {
  let running: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const part of running.reverse()) await part.close();
    running = [];
  });
  const transportTo = (options: SmtpTransportOptions) => {
    const transport = createSmtpTransport({ backoff: { minimum: 1, maximum: 2 }, ...options });
    running.push(transport);
    return transport;
  };
  return {
    transportTo,
    closeLater(part: { close(): Promise<void> }) {
      running.push(part);
    },
    async start(sinkOptions: FaultSinkOptions = {}, options: Partial<SmtpTransportOptions> = {}) {
      const sink = await startFaultSink({ extensions, ...sinkOptions });
      running.push(sink);
      return { sink, transport: transportTo({ url: sink.url, ...options }) };
    },
    async talk(speak: Parameters<typeof startSinkTalker>[0], options: Partial<SmtpTransportOptions> = {}) {
      const talker = await startSinkTalker(speak);
      running.push(talker);
      return { talker, transport: transportTo({ url: talker.url, maxConnections: 1, ...options }) };
    },
  };
}
