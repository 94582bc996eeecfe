import type { AnyTask } from './task.ts';
import { identifySegmentsTask, storeSegmentTask, treeDigestTask } from './tree-digest.ts';
import { readFilesTask, readPieceTask, storeListsTask } from './tree-read-task.ts';
import {
  checkNodesTask,
  checkPlacesTask,
  makeNodesTask,
  removeFolderTask,
  restoreBatchTask,
  syncFolderTask,
} from './tree-restore-task.ts';

/** What worker threads can do for trees. */
export const treeTasks: readonly AnyTask[] = [
  readFilesTask,
  readPieceTask,
  storeListsTask,
  storeSegmentTask,
  identifySegmentsTask,
  treeDigestTask,
  restoreBatchTask,
  makeNodesTask,
  checkNodesTask,
  checkPlacesTask,
  removeFolderTask,
  syncFolderTask,
];
