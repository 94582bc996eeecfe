import { Fault, isFault } from '../../base/faults.ts';

/**
 * One law that a plugin must keep, independent of any test runner, so that a command can try it against an operator's own
 * bank or cloud as well. `run` throws when the law is broken, and returns the reason where it has nothing to say.
 */
export interface Law {
  readonly name: string;
  run(): Promise<string | undefined>;
}

/** @throws {Fault} `conformance.broken` */
export function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Fault('internal', 'conformance.broken', message);
}

/** The task must end in a fault that the predicate accepts (or that has this code). */
export async function demandFault(
  task: Promise<unknown>,
  wanted: string | ((fault: Fault) => boolean),
  message: string,
): Promise<Fault> {
  let thrown: unknown;
  try {
    await task;
  } catch (error) {
    thrown = error;
  }
  demand(thrown !== undefined, `${message}: it succeeded`);
  if (isFault(thrown) && (typeof wanted === 'string' ? thrown.code === wanted : wanted(thrown))) return thrown;
  const seen = isFault(thrown) ? `${thrown.code}: ${thrown.message}` : `no Fault but ${String(thrown)}`;
  throw new Fault('internal', 'conformance.broken', `${message}: got ${seen}`, { cause: thrown });
}
