/** `node delaying-proxy-process.ts PORT MILLISECONDS`: passes connections on to that port of this machine, each byte so much later. */
import { connect, createServer, type Socket } from 'node:net';

const [port, delay] = process.argv.slice(2).map(Number) as [number, number];

/** One direction: what was read is written when its time has come, in order. */
function passOn(from: Socket, to: Socket): void {
  const waiting: { readonly at: number; readonly bytes: Buffer | undefined }[] = [];
  let planned = false;
  const flush = (): void => {
    planned = false;
    const now = performance.now();
    to.cork();
    for (let next = waiting[0]; next !== undefined && next.at <= now; next = waiting[0]) {
      waiting.shift();
      if (next.bytes === undefined) to.end();
      else to.write(next.bytes);
    }
    to.uncork();
    plan();
  };
  const plan = (): void => {
    const next = waiting[0];
    if (next === undefined || planned) return;
    planned = true;
    setTimeout(flush, Math.max(0, next.at - performance.now()));
  };
  const add = (bytes: Buffer | undefined): void => {
    waiting.push({ at: performance.now() + delay, bytes });
    plan();
  };
  from.setNoDelay(true);
  from.on('data', add);
  from.on('end', () => add(undefined));
  from.on('error', () => to.destroy());
}

const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  passOn(near, far);
  passOn(far, near);
});
server.listen(0, '127.0.0.1', 511, () => {
  const address = server.address();
  if (address !== null && typeof address !== 'string') console.log(JSON.stringify({ port: address.port }));
});
process.on('SIGTERM', () => process.exit());
