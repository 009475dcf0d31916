import type { TransportCapabilities } from '../../domain/delivery/index.ts';

/** Of a transport that takes the composed message byte for byte and one at a time, and does not recognise a second copy. */
export const WHOLE_MESSAGES: TransportCapabilities = Object.freeze({
  batchSize: 1,
  content: 'mime',
  keepsHeaders: true,
  keepsMessageId: true,
  givesMessageId: false,
  repeatSafeMs: undefined,
});
