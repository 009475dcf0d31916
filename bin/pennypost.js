#!/usr/bin/env node
// The command as npm installs it. Sources and dist need Node 22.19 or newer; on an older one this file, which every Node
// since 14.8 can read, starts itself again under the Node that the `node` package brings (0.14 s), if that is installed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/interfaces/cli/main.js', import.meta.url);
const main = existsSync(built) ? built : new URL('../src/interfaces/cli/main.ts', import.meta.url);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 19)) await import(main.href);
else startUnder(newerNode());

function newerNode() {
  try {
    return createRequire(import.meta.url).resolve('node/bin/node');
  } catch {
    console.error(`pennypost needs Node 22.19 or newer; this is ${process.version}. Install one, or run: npm install node@24`);
    process.exit(1);
  }
}

/** Passes arguments, terminal, signals and the way it ended through. */
function startUnder(node) {
  // By its id the child finds out when this process is killed, which can pass nothing on.
  const env = { ...process.env, PENNYPOST_LAUNCHER: String(process.pid) };
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) {
    process.on(signal, () => {
      // Ctrl-C reaches the whole foreground group: the child has it already, and a second one means "exit now".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`pennypost could not start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    // Process 1 of a container does not end by a signal of its own.
    process.exitCode = 128 + constants.signals[signal];
    process.kill(process.pid, signal);
  });
}
