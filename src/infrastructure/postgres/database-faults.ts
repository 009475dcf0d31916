/**
 * The one rule for what an error of the database means: it cannot be used now, so the whole unit of work may be repeated later; or
 * the statement and its data are at fault, and a repetition fails as well. Used by recorders, the lanes, jobs and the API (503).
 */
import pg from 'pg';

export interface DatabaseFault {
  /** `away`: repeat later. `statement`: this statement with these data never succeeds. */
  readonly means: 'away' | 'statement';
  /** The session itself is no good any more: another one may succeed at once. */
  readonly spoilsSession?: boolean;
  /** An explanation to display, where the server's own message is not enough. */
  readonly words?: string;
}

interface FaultRule extends DatabaseFault {
  readonly state: RegExp;
  readonly message?: RegExp;
  /** The server's function that says it: unlike its message, the same in every language (`lc_messages`). */
  readonly routine?: string;
  /** What the row was written for. */
  readonly seen: string;
}

const AWAY = { means: 'away' } as const;
const SPOILED = { means: 'away', spoilsSession: true } as const;
const STATEMENT = { means: 'statement' } as const;

/** The first row that fits decides. */
export const FAULT_RULES: readonly FaultRule[] = [
  {
    ...AWAY,
    state: /^(40001|40P01)$/,
    words: 'another transaction committed first; this one was rolled back. Try again.',
    seen: 'could not serialize access due to concurrent update',
  },
  {
    ...AWAY,
    state: /^57014$/,
    words: 'a statement exceeded its time limit or was cancelled; it was rolled back.',
    seen: 'canceling statement due to statement timeout',
  },
  {
    ...SPOILED,
    state: /^25006$/,
    words: 'it is read-only.',
    seen: 'cannot execute INSERT in a read-only transaction',
  },
  { ...SPOILED, state: /^0A000$/, message: /cached plan/, seen: 'cached plan must not change result type' },
  { ...SPOILED, state: /^0A000$/, routine: 'RevalidateCachedQuery', seen: 'gecachter Plan darf den Ergebnistyp nicht ändern' },
  // A pooler that gives every transaction another server does not carry prepared statements along.
  { ...SPOILED, state: /^(26000|42P05)$/, seen: 'prepared statement "x" does not exist' },
  {
    ...STATEMENT,
    state: /^08P01$/,
    message: /^bind message/,
    seen: 'bind message supplies 1 parameters, but prepared statement "" requires 2',
  },
  // Rights are a state of the server: they come back after a rotation or a restore.
  { ...AWAY, state: /^42501$/, seen: 'permission denied for table shard' },
  { ...AWAY, state: /^25P0[234]$/, seen: 'terminating connection due to idle-in-transaction timeout' },
  {
    ...STATEMENT,
    state: /^(0[1-79AFLPZ]|2[0-7BDF]|3[4689BF]|40002|42|44|54|55P04|F0|HV|P0)/,
    seen: 'invalid byte sequence for encoding "UTF8": 0x00',
  },
  // All other codes concern the server: connection (08), login (28), no such database (3D), resources (53), in use (55), shutdown and
  // restart (57), input and output (58), internal (XX), and whatever a fork or a pooler invents.
  { ...AWAY, state: /./, seen: 'the database system is starting up' },
];

const SQLSTATE = /^(\d[0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}$/;

/** Node's words for a connection that could not be made or broke. */
const CONNECTION_CODE =
  /^(ECONN(REFUSED|RESET|ABORTED)|ENOTCONN|EPIPE|ETIMEDOUT|EPROTO|E(HOST|NET)(UNREACH|DOWN)|ENOTFOUND|EAI_\w+|ERR_(TLS|SSL|SOCKET)_\w+|ERR_STREAM_(DESTROYED|WRITE_AFTER_END)|(CERT|CRL|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|ERROR_IN)_\w+|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)$/;

/**
 * What only a connection asks the system for. Whatever the answer is (no server at the Unix socket, no descriptor, port or memory
 * left), there is no connection; with other calls the same codes are about a file.
 */
const CONNECTION_CALL = /^(connect|getaddrinfo|query\w+)$/;

/** What pg, pg-pool and poolers say without a code. */
const CONNECTION_WORDS =
  /^(Connection (terminated|ended)|timeout (exceeded when trying to connect|expired)|Query read timeout|Client (has encountered a connection error|was closed)|Cannot use a pool after|The server does not support SSL|There was an error establishing an SSL|SASL:|server (closed the connection|conn crashed|login)|Received unexpected |Unknown authenticationOk)/i;

/** Undefined when the error does not look like one of a database. */
export function faultOf(error: Error): DatabaseFault | undefined {
  const code = codeOf(error);
  if (code !== undefined && SQLSTATE.test(code)) return ruleFor(code, error);
  if (error instanceof pg.DatabaseError) return ruleFor(code ?? '', error);
  if (code !== undefined && CONNECTION_CODE.test(code)) return AWAY;
  if ('syscall' in error && typeof error.syscall === 'string' && CONNECTION_CALL.test(error.syscall)) return AWAY;
  return CONNECTION_WORDS.test(error.message) ? AWAY : undefined;
}

export function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The error and what caused it; drivers wrap two or three deep. */
export function chainOf(error: unknown): Error[] {
  const chain = new Set<Error>();
  const follow = (link: unknown): void => {
    if (!(link instanceof Error) || chain.size >= 16 || chain.has(link)) return;
    chain.add(link);
    follow(link.cause);
    // A name with several addresses fails with all of their errors.
    if (link instanceof AggregateError) link.errors.forEach(follow);
  };
  follow(error);
  return [...chain];
}

function ruleFor(state: string, error: Error): DatabaseFault {
  const routine = 'routine' in error ? error.routine : undefined;
  const fits = (rule: FaultRule): boolean =>
    rule.state.test(state || '-') &&
    (rule.message?.test(error.message) ?? true) &&
    (rule.routine === undefined || rule.routine === routine);
  return FAULT_RULES.find(fits) ?? AWAY;
}
