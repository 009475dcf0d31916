/** What a benchmark says: a table for people, and with `--json` one line of JSON as its last line. */
export interface BenchOutput {
  /** A line about what happens now, on standard error. */
  note(text: string): void;
  /** Rows under titles; numbers to the right. */
  table(title: string, rows: readonly Readonly<Record<string, string | number>>[]): void;
  /** The result as the contract of the benchmark names it. */
  result(value: Readonly<Record<string, unknown>>): void;
}

export function benchOutput(json: boolean): BenchOutput {
  return {
    note: (text) => void process.stderr.write(`${text}\n`),
    table(title, rows) {
      const names = Object.keys(rows[0] ?? {});
      const cells = rows.map((row) => names.map((name) => shown(row[name])));
      const widths = names.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)));
      const line = (texts: readonly string[], numeric: readonly boolean[]): string =>
        texts
          .map((text, at) => (numeric[at] === true ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)))
          .join('  ')
          .trimEnd();
      const right = names.map((name) => rows.every((row) => typeof row[name] === 'number'));
      const lines = [line(names, right), ...cells.map((row) => line(row, right))];
      process.stdout.write(`\n${title}\n${lines.map((text) => `  ${text}`).join('\n')}\n`);
    },
    result(value) {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
  };
}

function shown(value: string | number | undefined): string {
  if (typeof value !== 'number') return value ?? '';
  if (Number.isNaN(value)) return '-';
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0 });
}
