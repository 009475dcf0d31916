import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer } from '../web/public-answer.ts';
import type { TrackedRequests } from '../web/tracked-requests.ts';

/** The addresses of messages exactly as they were written; what differs from them goes through the app and gets the same answers. */
const ADDRESS = /^\/(?:o\/([\w-]+)|c\/([\w-]+)\/([\w-]+))$/;

/** Answers the request, or leaves it to the app and returns false. */
export type DirectListener = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Clicks and opens without the app: objects of fetch and a router take four times as long as all the rest of such a request
 * (docs/inside/decisions/0013-tracked-requests-before-the-app.md).
 */
export function trackedListener(tracked: TrackedRequests): DirectListener {
  return (request, response) => {
    const { method = '', url = '', headers } = request;
    if (method !== 'GET' && method !== 'HEAD') return false;
    // A body is read on and bounded by the app's listener.
    if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) return false;
    const [matched, openToken, messageToken = '', linkToken = ''] = ADDRESS.exec(url) ?? [];
    if (matched === undefined) return false;
    const asked = {
      method,
      header: (name: string) => headers[name] as string | undefined,
      clientAddress: request.socket.remoteAddress,
      language: undefined,
    };
    const answer = openToken === undefined ? tracked.click(messageToken, linkToken, asked) : tracked.open(openToken, asked);
    answer.then(
      (ready) => send(response, ready),
      () => response.destroy(),
    );
    return true;
  };
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'Content-Length': body === null ? 0 : Buffer.byteLength(body) });
  if (body === null) response.end();
  // Node writes head and body by one system call only where the body is text.
  else if (typeof body === 'string') response.end(body);
  else response.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1');
}
