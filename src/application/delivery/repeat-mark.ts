const REPEAT_MARK = Buffer.from('X-Pennypost-Possible-Repeat: yes\r\n');

/** The message with the header that says: its recipient may have it already. */
export const marked = (bytes: Uint8Array): Uint8Array => Buffer.concat([REPEAT_MARK, bytes]);
