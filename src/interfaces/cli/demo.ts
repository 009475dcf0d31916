import type { Command } from 'commander';
import type { Cli } from './cli.ts';
export function demoCommand(program: Command, _cli: Cli): void {
  program.command('demo');
}
