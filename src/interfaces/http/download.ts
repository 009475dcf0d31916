/** A file that is made while it is taken. */
export interface Download {
  /** ASCII, without quotation marks. */
  readonly name: string;
  readonly parts: AsyncIterable<string>;
}

/**
 * The first part is made before anything is answered, so that what stands in the way from the beginning is a problem with a
 * status. Later it can only break the connection off, which tells the client that the file is not whole.
 */
export async function downloadResponse(file: Download, type: string, onBroken: (error: unknown) => void): Promise<Response> {
  const iterator = file.parts[Symbol.asyncIterator]();
  const first = await iterator.next();
  const encoder = new TextEncoder();
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      for (let part = first; part.done !== true; part = await iterator.next()) yield encoder.encode(part.value);
    } catch (error) {
      onBroken(error);
      // The server prints what it gets here as it is: nothing of the failure itself belongs there.
      throw new Error('A download broke off; the log has the reason.');
    } finally {
      await iterator.return?.();
    }
  }
  return new Response(ReadableStream.from(bytes()), {
    headers: { 'content-type': `${type}; charset=utf-8`, 'content-disposition': `attachment; filename="${file.name}"` },
  });
}
