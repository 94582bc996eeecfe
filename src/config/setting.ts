/** One setting: drives reading, `karri config show` and the table of the README. */
export interface Setting<T> {
  readonly variable: string;
  /** Its name in the configuration file. */
  readonly key: string;
  /** As an operator would write it; empty: not set. `STATE_DIR` stands for the state folder. */
  readonly fallback: string;
  readonly meaning: string;
  /** Completes "must be …". */
  readonly allowed: string;
  /** A path: relative to the configuration file it stands in, else to the current folder. */
  readonly isPath?: boolean;
  /** Never shown in full. */
  readonly isSecret?: boolean;
  /** The value; `bad` when the text is not allowed. */
  parse(text: string): T | typeof bad;
}

export const bad = Symbol('bad value');

export const path = {
  allowed: 'a path',
  isPath: true,
  parse: (text: string): string | typeof bad => (text === '' || text.includes('\0') ? bad : text),
};

export function wholeNumber(min: number, max: number): { allowed: string; parse: (text: string) => number | typeof bad } {
  const parse = (text: string): number | typeof bad => {
    const value = /^-?\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : bad;
  };
  return { allowed: `a whole number from ${min} to ${max}`, parse };
}

export function oneOf<T extends string>(values: readonly T[]): { allowed: string; parse: (text: string) => T | typeof bad } {
  return { allowed: `one of ${values.join(', ')}`, parse: (text) => values.find((value) => value === text) ?? bad };
}
