import { checkTasks } from '../check/tasks.ts';
import { copyTasks } from '../copy/tasks.ts';
import { runTasks } from '../index/run-tasks.ts';
import { readTasks } from '../packs/read-tasks.ts';
import { treeTasks } from '../tree/tasks.ts';
import { volumeTasks } from '../volume/tasks.ts';
import type { AnyTask } from './task.ts';

/** Every task a worker can run. */
export const tasks: readonly AnyTask[] = [...readTasks, ...runTasks, ...volumeTasks, ...treeTasks, ...copyTasks, ...checkTasks];
