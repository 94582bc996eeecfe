import { closeSync, openSync } from 'node:fs';
import type { RepositoryCore } from '../core.ts';
import { fileFault } from '../file-faults.ts';
import { loadPosix } from './posix.ts';
import { syncFolderTask } from './restore-task.ts';

/**
 * Makes what is restored durable, beginning while it is still being written. A descriptor is told of every write that failed since it was opened: one
 * is for starts, whose outcome nobody looks at, the other for the end, which misses nothing.
 */
export class TargetSync {
  readonly #core: RepositoryCore;
  readonly #startFd: number;
  readonly #endFd: number;
  #running: Promise<void> | undefined;

  /** @throws {Fault} `repository.file_failed` */
  constructor(core: RepositoryCore, folder: string) {
    this.#core = core;
    this.#startFd = openFolder(folder);
    this.#endFd = openFolder(folder);
  }

  /** Passed over while one runs. */
  start(): void {
    this.#running ??= loadPosix()
      .startSync(this.#startFd)
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** @throws {Fault} `repository.file_failed` */
  async finish(signal: AbortSignal | undefined): Promise<void> {
    await this.#running;
    await this.#core.run(syncFolderTask, { fd: this.#endFd }, { signal });
  }

  async close(): Promise<void> {
    await this.#running;
    closeSync(this.#startFd);
    closeSync(this.#endFd);
  }
}

function openFolder(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw fileFault(error, 'open', path);
  }
}
