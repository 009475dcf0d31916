/**
 * What a scripted server does wrong. A script is the part of a mailbox's local part before `+` (the return path's for MAIL,
 * the recipient's from RCPT on), or is given for a connection by its number. Actions are joined with dots:
 *
 * - `550`, `451-at-dot`, `421-at-greeting`, `535-at-auth`: answer that; without a step at RCPT; the server closes after 421
 * - `reset-at-rcpt`, `fin-at-dot`: end the connection instead of answering; at the dot the message was stored before
 * - `reset-at-body-1000`: after so many bytes of the body
 * - `hang-at-data`: never answer
 * - `502-at-bdat`: answer the command and take the chunk for commands, as a server without BDAT would
 * - `250-then-reset-at-dot`: answer, then reset
 * - `550-at-body-1000`: answer inside the body
 * - `slow-5`, `slow-50ms`, `slow-1-at-dot`: answer so much later; without a step every command
 * - `defer-2-times`, `defer-2-times-at-dot`: 451 so often for this recipient, then as usual
 * - `storm-200`: 450 4.7.1 at RCPT to the first 200 whom this script is given for, whoever they are, then as usual
 * - `accept-data`: 354 though RCPT was refused, as some servers do
 */
/** `dot` is also the end of a last chunk. */
export const SINK_STEPS = [
  'greeting',
  'ehlo',
  'helo',
  'starttls',
  'auth',
  'mail',
  'rcpt',
  'data',
  'bdat',
  'body',
  'dot',
] as const;
export type SinkStep = (typeof SINK_STEPS)[number];

export interface SinkAction {
  readonly step: SinkStep;
  /** Three digits, to be answered instead of the usual reply. */
  readonly code?: string;
  readonly end?: 'reset' | 'fin';
  readonly hang?: boolean;
  /** Bytes of the body after which it happens. */
  readonly after?: number;
  /** Said with the code. Default: what is usual for it. */
  readonly text?: string;
  /** Only so often: for each recipient, or over all of them under this name. */
  readonly times?: number;
  readonly together?: string;
}

export interface SinkScript {
  readonly actions: readonly SinkAction[];
  /** Milliseconds before the reply to a step. */
  readonly delays: Partial<Record<SinkStep, number>>;
  readonly acceptData: boolean;
}

const STEP = SINK_STEPS.join('|');
const DELAY = new RegExp(`^slow-(\\d+)(ms)?(?:-at-(${STEP}))?$`);
const DEFER = new RegExp(`^defer-(\\d+)-times(?:-at-(${STEP}))?$`);
const STORM = /^storm-(\d+)$/;
const ANSWER = new RegExp(`^(\\d{3})(?:-then-(reset|fin))?(?:-at-(${STEP}))?(?:-(\\d+))?$`);
const END = new RegExp(`^(reset|fin|hang)-at-(${STEP})(?:-(\\d+))?$`);
/** Most addresses are no scripts; this is all that they cost. */
const LIKELY = /^(?:\d{3}\b|slow-|defer-|storm-|reset-|fin-|hang-|accept-data)/;

const isStep = (text: string | undefined): text is SinkStep => SINK_STEPS.some((step) => step === text);

function actionOf(word: string): SinkAction | undefined {
  const defer = DEFER.exec(word);
  if (defer !== null) return { step: isStep(defer[2]) ? defer[2] : 'rcpt', code: '451', times: Number(defer[1]) };
  const storm = STORM.exec(word);
  if (storm !== null)
    return { step: 'rcpt', code: '450', text: '4.7.1 Too many messages from you', times: Number(storm[1]), together: word };
  const answer = ANSWER.exec(word);
  if (answer !== null) {
    const [, code = '', end, step, after] = answer;
    return {
      step: isStep(step) ? step : 'rcpt',
      code,
      ...(end === 'reset' || end === 'fin' ? { end } : {}),
      ...(after === undefined ? {} : { after: Number(after) }),
    };
  }
  const ended = END.exec(word);
  if (ended === null || !isStep(ended[2])) return undefined;
  const [, end, step, after] = ended;
  return {
    step,
    ...(end === 'hang' ? { hang: true } : { end: end === 'fin' ? 'fin' : 'reset' }),
    ...(after === undefined ? {} : { after: Number(after) }),
  };
}

/** @returns undefined when the text is no script; words that it does not know are no script either */
export function parseSinkScript(text: string): SinkScript | undefined {
  if (!LIKELY.test(text)) return undefined;
  const actions: SinkAction[] = [];
  const delays: Partial<Record<SinkStep, number>> = {};
  let acceptData = false;
  for (const word of text.split('.')) {
    const delay = DELAY.exec(word);
    const action = actionOf(word);
    if (delay !== null) {
      const milliseconds = Number(delay[1]) * (delay[2] === undefined ? 1000 : 1);
      for (const step of isStep(delay[3]) ? [delay[3]] : SINK_STEPS) delays[step] = milliseconds;
    } else if (action !== undefined) actions.push(action);
    else if (word === 'accept-data') acceptData = true;
    else return undefined;
  }
  return { actions, delays, acceptData };
}

/** The script in an address, `550` of `550+42@example.com`. */
export function scriptOfAddress(address: string): SinkScript | undefined {
  const local = address.slice(0, address.lastIndexOf('@'));
  const plus = local.indexOf('+');
  return parseSinkScript(plus < 0 ? local : local.slice(0, plus));
}
