export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process, as it is now; nothing else asks for it. */
export function readEnvironment(): Environment {
  return { ...process.env };
}
