import type { AnyTask } from './task.ts';

/** Every task a worker can run. The tree's own list goes in beside the volume's. */
export const tasks: readonly AnyTask[] = [];
