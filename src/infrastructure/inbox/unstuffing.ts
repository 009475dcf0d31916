import type { SMTPServer } from 'smtp-server';

const DOT = 46;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/**
 * Makes the server remove the first dot of every line of a message (RFC 5321 section 4.5.2). smtp-server removes it only
 * where another dot follows, so a line `.Bcc: ...` that a client forgot to stuff would look harmless here and be a Bcc field
 * at every other server.
 */
export function unstuffLikeServers(server: SMTPServer): void {
  const connect = server.connect.bind(server);
  server.connect = (socket, options) => {
    connect(socket, options);
    for (const connection of server.connections) {
      if (connection._socket === socket && connection._parser !== false) unstuffLines(connection._parser);
    }
  };
}

type Connection = SMTPServer['connections'] extends Set<infer Item> ? Item : never;

function unstuffLines(parser: Exclude<Connection['_parser'], false>): void {
  const start = parser.startDataMode.bind(parser);
  const feed = parser._feedDataStream.bind(parser);
  let dots = new LoneDots();
  let feeding = false;
  parser.startDataMode = (limit) => {
    dots = new LoneDots();
    feeding = false;
    return start(limit);
  };
  parser._feedDataStream = (chunk, done) => {
    // smtp-server calls itself with the rest of a chunk behind each dot that it removed.
    if (feeding) return feed(chunk, done);
    feeding = true;
    feed(dots.removedFrom(chunk), (error) => {
      feeding = false;
      done(error);
    });
  };
}

/** Removes what smtp-server leaves of one message: the dot of a line that goes on with anything but a dot. */
class LoneDots {
  private atLineStart = true;
  /** What cannot be judged before the next octets come: a CR, or a dot at the start of a line with or without its CR. */
  private waiting: Buffer = Buffer.alloc(0);

  /** @param chunk what stands behind the end of the message are commands and stays as it is */
  removedFrom(chunk: Buffer): Buffer {
    const data = Buffer.concat([this.waiting, chunk]);
    const kept: Buffer[] = [];
    let from = 0;
    let end = data.length;
    let at = this.atLineStart ? 0 : nextLine(data, 0);
    for (; at < data.length; at = nextLine(data, at)) {
      if (data[at] !== DOT) continue;
      const [next, afterNext] = [data[at + 1], data[at + 2]];
      if (next === undefined || (next === CARRIAGE_RETURN && afterNext === undefined)) end = at;
      // Undecided, or the end of the message.
      if (end === at || (next === CARRIAGE_RETURN && afterNext === LINE_FEED)) break;
      if (next !== DOT) {
        kept.push(data.subarray(from, at));
        from = at + 1;
      }
    }
    this.atLineStart = at <= data.length;
    if (!this.atLineStart && data.at(-1) === CARRIAGE_RETURN) end -= 1;
    this.waiting = Buffer.from(data.subarray(end));
    kept.push(data.subarray(from, end));
    return Buffer.concat(kept);
  }
}

/** The offset after the next CRLF; past the end without one. */
function nextLine(data: Buffer, from: number): number {
  const end = data.indexOf('\r\n', from);
  return end === -1 ? data.length + 1 : end + 2;
}
