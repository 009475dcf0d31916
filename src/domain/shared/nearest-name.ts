/** More changes than that are another word. */
const MOST_CHANGES = 3;

/** The known name that a mistyped one most likely means; undefined when none is near. */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  const word = given.toLowerCase();
  const ranked = known
    .map((name) => ({ name, changes: changesBetween(word, name.toLowerCase()) }))
    .toSorted((a, b) => a.changes - b.changes);
  const [best] = ranked;
  const most = Math.min(MOST_CHANGES, Math.ceil(Math.max(word.length, best?.name.length ?? 0) / 2));
  return best !== undefined && best.changes <= most ? best.name : undefined;
}

/** Letters to add, drop, replace or swap with their neighbour. */
export function changesBetween(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1);
      next.push(least);
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
