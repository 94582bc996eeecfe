import { copyTasks } from './copy-tasks.ts';
import { readTasks } from './read-tasks.ts';
import { runTasks } from './run-tasks.ts';
import type { AnyTask } from './task.ts';
import { treeTasks } from './tree-tasks.ts';
import { volumeTasks } from './volume-tasks.ts';

/** Every task a worker can run. */
export const tasks: readonly AnyTask[] = [...readTasks, ...runTasks, ...volumeTasks, ...treeTasks, ...copyTasks];
