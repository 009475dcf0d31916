/** What PostgreSQL keeps of a name. */
const LONGEST = 63;

/** `application_name` of every session of a process: by it is seen whether a worker that is silent has any left. */
export const sessionName = (host: string, pid: number): string => `pennypost ${pid} ${host}`.slice(0, LONGEST);

/** The same of a row `w` of the workers. */
export const SESSION_NAME_OF_WORKER = `left('pennypost ' || w.pid || ' ' || w.host, ${LONGEST})`;
