/** At most `width` of the given tasks run at once; the rest wait in order. */
export type Limit = <T>(task: () => Promise<T>) => Promise<T>;

export function createLimit(width: number): Limit {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (running >= width) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await task();
    } finally {
      // The slot is handed over, not freed, so that a newcomer cannot slip in before the one that waited.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
