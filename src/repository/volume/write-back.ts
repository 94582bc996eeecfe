import type { FileHandle } from 'node:fs/promises';
import { MiB } from '../../base/bytes.ts';
import { fileFault } from '../file-faults.ts';

/** Often enough that the disk is never idle, seldom enough that the file system's journal is not written all the time. */
const stepBytes = 64 * MiB;

/** Makes a file durable while it is still being written, so that at the end little is left to wait for. */
export class WriteBack {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #isWanted: boolean;
  #writtenBytes = 0;
  #running: Promise<void> | undefined;
  /** Kept: the kernel tells of a lost write once. */
  #failure: { readonly error: unknown } | undefined;

  /** Not wanted: nothing is asked of the disk. */
  constructor(path: string, handle: FileHandle, isWanted: boolean) {
    this.#path = path;
    this.#handle = handle;
    this.#isWanted = isWanted;
  }

  /** So many bytes more were written. */
  note(bytes: number): void {
    this.#writtenBytes += bytes;
    if (!this.#isWanted || this.#writtenBytes < stepBytes || this.#running) return;
    this.#writtenBytes = 0;
    this.#running = this.#handle
      .datasync()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /**
   * Resolves when everything is durable, if that is wanted.
   * @throws {Fault} `repository.file_failed`, also when a write from before was lost
   */
  async finish(): Promise<void> {
    await this.settle();
    if (!this.#isWanted) return;
    await this.#handle.sync().catch((error: unknown) => {
      this.#failure ??= { error };
    });
    if (this.#failure) throw fileFault(this.#failure.error, 'make durable', this.#path);
  }

  /** Resolves when nothing of this uses the file any more. */
  async settle(): Promise<void> {
    await this.#running;
  }
}
