import { constants } from 'node:fs';
import { access, type FileHandle, link, lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Body,
  type CallOptions,
  checkKey,
  checkPrefix,
  existsFault,
  type Fault,
  type GetOptions,
  isFault,
  type ListOptions,
  missingFault,
  type ObjectEntry,
  type ObjectStat,
  type ObjectStore,
  type PutOptions,
  shortFault,
  storeFault,
  throwIfAborted,
  tooLargeFault,
} from 'karri/plugin';
import { errnoOf, fileFault, noBankFault } from './errors.ts';
import { listObjects } from './listing.ts';
import { isLeftover, temporaryName, thisWriter, type Writer } from './writers.ts';

// `+` is in no key, so what lies here can be neither listed nor read as an object.
const writingFolder = '+writing';
// Between two slices a signal is looked at.
const sliceBytes = 4 * 1024 * 1024;

/**
 * Objects as files: `<root>/<key>`, and `<root>/+writing/…` for what is being written. A put writes there, syncs the file,
 * links or renames it to its name and syncs the folder: an object is whole as soon as it can be seen, and durable when put returns.
 * @throws {Fault} `storage.no_bank`, `storage.refused`
 */
export async function openFilesystemStore(root: string): Promise<ObjectStore> {
  try {
    await mkdir(root, { mode: 0o700 }).catch(ignore('EEXIST'));
    await mkdir(join(root, writingFolder), { mode: 0o700 }).catch(ignore('EEXIST'));
    await access(join(root, writingFolder), constants.R_OK | constants.X_OK);
    await syncFolder(root);
    const writer = await thisWriter();
    await removeLeftovers(root, writer);
    return new FilesystemStore(root, writer);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') throw noBankFault(root, error);
    throw fileFault(error, root, writingFolder);
  }
}

class FilesystemStore implements ObjectStore {
  readonly abilities = { conditionalPut: true };
  readonly description: string;
  readonly #root: string;
  readonly #writer: Writer;
  readonly #durableFolders = new Set<string>();

  constructor(root: string, writer: Writer) {
    this.description = root;
    this.#root = root;
    this.#writer = writer;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<void> {
    checkKey(key);
    throwIfAborted(options.signal);
    const temporary = join(this.#root, writingFolder, temporaryName(this.#writer));
    const final = join(this.#root, key);
    try {
      await this.#writeTemporary(temporary, body, options.signal);
      await this.#makeFolders(dirname(key));
      throwIfAborted(options.signal);
      if (options.ifAbsent) await this.#linkNew(temporary, final, key);
      else await rename(temporary, final);
      await syncFolder(dirname(final));
    } catch (error) {
      throw await this.#putFault(error, key);
    } finally {
      // One that cannot be removed is a leftover like any other: nobody sees it, and a later opening takes it away.
      await unlink(temporary).catch(() => undefined);
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<Buffer> {
    checkKey(key);
    throwIfAborted(options.signal);
    const { range, maxBytes = Number.POSITIVE_INFINITY } = options;
    let file: FileHandle | undefined;
    try {
      file = await open(join(this.#root, key), 'r');
      const stat = await file.stat();
      if (!stat.isFile()) throw missingFault(this.description, key);
      if (!range && stat.size > maxBytes) throw tooLargeFault(this.description, key, stat.size, maxBytes);
      const { offset, length } = range ?? { offset: 0, length: stat.size };
      if (offset + length > stat.size) throw shortFault(this.description, key, length, Math.max(0, stat.size - offset));
      return await this.#readInto(Buffer.allocUnsafeSlow(length), file, offset, key, options.signal);
    } catch (error) {
      throw await this.#fault(error, key);
    } finally {
      await file?.close();
    }
  }

  async stat(key: string, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    checkKey(key);
    throwIfAborted(options.signal);
    try {
      const stat = await lstat(join(this.#root, key));
      return stat.isFile() ? { sizeBytes: stat.size } : undefined;
    } catch (error) {
      const fault = await this.#fault(error, key);
      if (fault.code === 'storage.missing') return undefined;
      throw fault;
    }
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectEntry> {
    checkPrefix(prefix);
    try {
      const gone = await this.#findBankFault();
      if (gone) throw gone;
      yield* listObjects(this.#root, prefix, options);
    } catch (error) {
      throw await this.#fault(error, `${prefix}*`);
    }
  }

  async delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key);
    throwIfAborted(options.signal);
    let first: unknown;
    const folders = new Set<string>();
    for (const key of keys) {
      throwIfAborted(options.signal);
      try {
        await unlink(join(this.#root, key));
        folders.add(dirname(join(this.#root, key)));
      } catch (error) {
        const fault = await this.#fault(error, key);
        if (fault.code !== 'storage.missing') first ??= fault;
      }
    }
    // Deleted means deleted after a power cut as well: whoever deletes in an order relies on it.
    for (const folder of folders) {
      await syncFolder(folder).catch((error: unknown) => {
        first ??= fileFault(error, this.#root, folder);
      });
    }
    if (first !== undefined) throw first;
  }

  async close(): Promise<void> {}

  async #writeTemporary(path: string, body: Body, signal: AbortSignal | undefined): Promise<void> {
    const file = await open(path, 'wx', 0o600);
    try {
      for (const part of body instanceof Uint8Array ? [body] : body) {
        for (let from = 0; from < part.length; from += sliceBytes) {
          throwIfAborted(signal);
          await writeAll(file, part.subarray(from, from + sliceBytes));
        }
      }
      throwIfAborted(signal);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #linkNew(temporary: string, final: string, key: string): Promise<void> {
    try {
      await link(temporary, final);
    } catch (error) {
      throw errnoOf(error) === 'EEXIST' && (await lstat(final)).isFile() ? existsFault(this.description, key, error) : error;
    }
  }

  /** Makes the folders of a key and makes their names durable; `folder` is relative to the root. */
  async #makeFolders(folder: string): Promise<void> {
    await mkdir(join(this.#root, folder), { recursive: true, mode: 0o700 });
    // Also those that another writer has just made: it may not have come to sync them yet, and our object lies in them.
    for (let path = folder; path !== '.' && !this.#durableFolders.has(path); path = dirname(path)) {
      await syncFolder(dirname(join(this.#root, path)));
      this.#durableFolders.add(path);
    }
  }

  async #readInto(
    target: Buffer,
    file: FileHandle,
    offset: number,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    let done = 0;
    while (done < target.length) {
      throwIfAborted(signal);
      const { bytesRead } = await file.read(target, done, Math.min(sliceBytes, target.length - done), offset + done);
      if (bytesRead === 0) throw shortFault(this.description, key, target.length, done);
      done += bytesRead;
    }
    return target;
  }

  async #putFault(error: unknown, key: string): Promise<Fault> {
    if (['EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY'].includes(errnoOf(error) ?? '')) {
      return storeFault(
        'storage.bad_key',
        `${key} cannot be stored in ${this.description}: a key there is its folder, or it is one.`,
        {
          details: { key },
          cause: error,
        },
      );
    }
    const fault = await this.#fault(error, key);
    if (fault.code !== 'storage.missing') return fault;
    // The bank is there, the file we wrote is not: somebody took it for a leftover. Writing it again is all it needs.
    return storeFault('storage.failed', `The file of ${key} vanished from ${this.description} while it was written.`, {
      details: { key },
      cause: error,
      retry: 'now',
    });
  }

  async #fault(error: unknown, key: string): Promise<Fault> {
    const fault = isFault(error) ? error : fileFault(error, this.#root, key);
    // A file missing from a bank that is gone (unmounted, moved) is no lost object.
    return fault.code === 'storage.missing' ? ((await this.#findBankFault()) ?? fault) : fault;
  }

  async #findBankFault(): Promise<Fault | undefined> {
    try {
      await lstat(join(this.#root, writingFolder));
      return undefined;
    } catch (error) {
      const gone = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
      return gone ? noBankFault(this.#root, error) : fileFault(error, this.#root, writingFolder);
    }
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function removeLeftovers(root: string, writer: Writer): Promise<void> {
  for (const name of await readdir(join(root, writingFolder))) {
    if (await isLeftover(name, writer)) await unlink(join(root, writingFolder, name)).catch(ignore('ENOENT'));
  }
}

function ignore(...errnos: string[]): (error: unknown) => void {
  return (error) => {
    if (!errnos.includes(errnoOf(error) ?? '')) throw error;
  };
}
