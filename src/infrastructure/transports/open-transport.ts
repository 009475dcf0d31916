import type { Transport, TransportSettings } from '../../domain/delivery/index.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { createSmtpTransport } from './smtp.ts';

/** What a process adds to the settings of a transport. */
export interface OpeningOptions {
  readonly maxConnections?: number | undefined;
  /** Name for EHLO where the settings have none. */
  readonly name?: (() => Promise<string | undefined>) | undefined;
}

/** Opens a transport by its settings; nothing is connected before the first message. @throws InvalidInput */
export function openTransport(settings: TransportSettings, { maxConnections, name }: OpeningOptions = {}): Transport {
  if (settings.kind !== 'smtp') throw new InvalidInput(`Transports of the kind ${settings.kind} cannot be opened yet.`);
  const { host, port, tls, user, password } = settings;
  return createSmtpTransport({
    host,
    port: port ?? (tls === 'implicit' ? 465 : 587),
    secure: tls === 'implicit',
    requireTls: tls === 'required',
    auth: user === undefined || password === undefined ? undefined : { user, pass: password },
    chunking: settings.chunking,
    maxConnections,
    name: settings.name ?? name,
  });
}
