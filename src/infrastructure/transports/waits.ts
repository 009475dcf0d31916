/** The messages on one connection, at which step they wait for the server, and since when. */
export interface AwaitedReply {
  readonly messages: number;
  readonly where: string;
  readonly since: number;
}

/** What the messages of a transport wait for, as text to display. @param now by the clock of `since` */
export function waitsOf(
  server: string,
  now: number,
  replies: readonly AwaitedReply[],
  { opening, waiting, backingOff }: { readonly opening: number; readonly waiting: number; readonly backingOff: number },
): readonly string[] {
  const groups = Map.groupBy(replies, (awaited) => awaited.where);
  const words = [...groups].map(([where, those]) => {
    const messages = those.reduce((sum, awaited) => sum + awaited.messages, 0);
    const longest = Math.max(...those.map((awaited) => now - awaited.since));
    const what = where === 'inside the body' ? `until ${server} reads on inside the body` : `for a reply ${where} from ${server}`;
    return `${counted(messages, 'message')} on ${counted(those.length, 'connection')} ${messages === 1 ? 'waits' : 'wait'} ${what} (longest ${seconds(longest)})`;
  });
  if (opening > 0) words.push(`${counted(opening, 'connection')} to ${server} being opened`);
  if (backingOff > 0) words.push(`the next attempt to connect to ${server} comes in ${seconds(backingOff)}`);
  if (waiting > 0) words.push(`${counted(waiting, 'message')} in line for a connection`);
  return words;
}

export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
export const seconds = (milliseconds: number): string => `${Math.round(milliseconds / 1_000)} s`;
