import type { AnyTask } from '../workers/task.ts';
import { identifySegmentsTask, storeSegmentTask, treeDigestTask } from './digest.ts';
import { listFoldersTask } from './list-task.ts';
import { readFilesTask, readPieceTask, storeListsTask } from './read-task.ts';
import {
  checkNodesTask,
  checkPlacesTask,
  finishFoldersTask,
  makeNodesTask,
  removeFolderTask,
  restoreBatchTask,
  syncFolderTask,
} from './restore-task.ts';

/** What worker threads can do for trees. */
export const treeTasks: readonly AnyTask[] = [
  listFoldersTask,
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
  finishFoldersTask,
  removeFolderTask,
  syncFolderTask,
];
