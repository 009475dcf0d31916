/** The command line of a benchmark cannot be followed; the message says why. */
export class WrongArguments extends Error {}

/** @throws WrongArguments unless it is a whole number of at least 1 */
export function whole(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new WrongArguments(`--${option} is a whole number from 1, not "${text}".`);
  return number;
}
