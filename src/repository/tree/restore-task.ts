import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { fileFault } from '../file-faults.ts';
import type { BlockBatch } from '../packs/chunk-source.ts';
import type { BadPiece } from '../packs/open-batch.ts';
import type { Task } from '../workers/task.ts';
import { type ApplyContext, finishFolder, makeFile, makeOther } from './apply.ts';
import { ByteReader, treeDamaged } from './bytes.ts';
import { checkFile, checkNode, checkPlaces } from './check.ts';
import type { Place } from './content.ts';
import { idBytes, isTypeOf, readBody } from './node.ts';
import { readNodeAt } from './node-list.ts';
import { systemPath, type TreePath } from './path.ts';
import { loadPosix } from './posix.ts';
import type { Wants } from './restore-window.ts';
import { SegmentReader } from './segments.ts';

export interface Target {
  /** Absolute path of the folder that is being filled, as bytes. */
  readonly root: string;
  readonly setsOwners: boolean;
  /** The root key the snapshot's ids were made with. */
  readonly keyId: string;
}

export interface Outcome {
  readonly bytes: number;
  readonly warnings: readonly string[];
}

export interface RestoreBatchInput {
  readonly target: Target;
  readonly wants: Wants;
  readonly batch: BlockBatch;
}

export interface BatchOutcome extends Outcome {
  /** What could not be opened, and so was not written. */
  readonly bad: readonly BadPiece[];
}

/** Writes the chunks of one batch to all files that want them. Files of one chunk are complete then. */
export const restoreBatchTask: Task<RestoreBatchInput, BatchOutcome> = {
  name: 'tree.restore-batch',
  run({ target, wants, batch }, context) {
    const warnings: string[] = [];
    const apply: ApplyContext = { ...target, warn: (line) => warnings.push(line) };
    const bad: BadPiece[] = [];
    let bytes = 0;
    const visit = (plain: Uint8Array, wanted: Uint32Array): void => {
      context.throwIfAborted();
      for (const want of wanted) {
        const { path, node } = readNodeAt(wants.nodes, wants.nodeAt[want] as number);
        const offset = wants.offsets[want] as number;
        if (plain.length !== wants.lengths[want]) throw treeDamaged('a file and its chunk differ in length');
        if (offset < 0) makeFile(apply, path, node, true, (fd) => writeFully(fd, plain, 0));
        else writeChunk(target.root, path, plain, offset);
        bytes += plain.length;
      }
    };
    context.openBatch(batch, visit, (piece) => bad.push(piece));
    return { bytes, warnings, bad };
  },
};

/** One of many chunks: the file is opened again for each, which costs nothing beside half a megabyte of writing. */
function writeChunk(root: string, path: TreePath, plain: Uint8Array, offset: number): void {
  const place = systemPath(root, path);
  let fd: number | undefined;
  try {
    fd = openSync(place, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    writeFully(fd, plain, offset);
  } catch (error) {
    throw fileFault(error, 'write', place);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function writeFully(fd: number, plain: Uint8Array, offset: number): void {
  for (let done = 0; done < plain.length; ) done += writeSync(fd, plain, done, plain.length - done, offset + done);
}

export interface NodesInput {
  readonly target: Target;
  /** A node list. */
  readonly nodes: Uint8Array<SharedArrayBuffer>;
  /** Where in it the nodes stand. */
  readonly at: Uint32Array<ArrayBuffer>;
}

/** Makes links and special files, and finishes files of no chunk or of many. */
export const makeNodesTask: Task<NodesInput, Outcome> = {
  name: 'tree.make-nodes',
  run({ target, nodes, at }, context) {
    const warnings: string[] = [];
    const apply: ApplyContext = { ...target, warn: (line) => warnings.push(line) };
    for (const each of at) {
      const { path, node } = readNodeAt(nodes, each);
      context.throwIfAborted();
      makeOther(apply, path, node);
    }
    return { bytes: 0, warnings };
  },
};

export interface CheckNodesInput extends NodesInput {
  /** False: contents come with `checkPlacesTask`, as those of listed form always do. */
  readonly withContent: boolean;
}

/** Reads nodes and contents back and compares them with the snapshot. */
export const checkNodesTask: Task<CheckNodesInput, Outcome> = {
  name: 'tree.check-nodes',
  run({ target, nodes, at, withContent }, context) {
    const warnings: string[] = [];
    const apply = { ...target, warn: (line: string) => void warnings.push(line) };
    let bytes = 0;
    for (const each of at) {
      const { path, node } = readNodeAt(nodes, each);
      context.throwIfAborted();
      if (node.type === 'file' && withContent) bytes += checkFile(apply, path, node, context);
      else checkNode(apply, path, node);
    }
    return { bytes, warnings };
  },
};

export interface CheckPlacesInput {
  readonly target: Target;
  readonly path: TreePath;
  readonly from: number;
  readonly to: number;
  /** Offset and length of each chunk in turn. */
  readonly places: Float64Array<ArrayBuffer>;
  readonly ids: Uint8Array<ArrayBuffer>;
}

/** Reads a range of a large file back. */
export const checkPlacesTask: Task<CheckPlacesInput, void> = {
  name: 'tree.check-places',
  run(input, context) {
    checkPlaces(input.target, input.path, unpackPlaces(input), input, context);
  },
};

function* unpackPlaces({ places, ids }: CheckPlacesInput): Generator<Place> {
  for (let i = 0; i * idBytes < ids.length; i++) {
    yield {
      offset: places[i * 2] as number,
      length: places[i * 2 + 1] as number,
      id: ids.subarray(i * idBytes, (i + 1) * idBytes),
    };
  }
}

/** In a worker thread, as a large tree takes its time; by the system's own names, as they need not be UTF-8. */
export const removeFolderTask: Task<string, void> = {
  name: 'tree.remove-folder',
  run(path) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      throw fileFault(error, 'remove', path);
    }
  },
};

/** Makes everything that was written durable. In a worker thread, as the system may take many seconds for it. */
export const syncFolderTask: Task<{ readonly fd: number }, void> = {
  name: 'tree.sync-folder',
  run: ({ fd }) => loadPosix().syncFilesystem(fd),
};

export interface FinishFoldersInput {
  readonly target: Target;
  readonly segment: Uint8Array;
}

/** Gives the folders of a segment their metadata, the innermost first, and compares each at once. Everything else in them is done. */
export const finishFoldersTask: Task<FinishFoldersInput, readonly string[]> = {
  name: 'tree.finish-folders',
  run({ target, segment }, context) {
    const warnings: string[] = [];
    const apply: ApplyContext = { ...target, warn: (line) => warnings.push(line) };
    const reader = new SegmentReader(Buffer.from(segment.buffer, segment.byteOffset, segment.length));
    const folders: { readonly path: TreePath; readonly body: Buffer }[] = [];
    while (reader.next()) if (isTypeOf(reader.body, 'folder')) folders.push({ path: reader.path, body: reader.body });
    for (const { path, body } of folders.reverse()) {
      context.throwIfAborted();
      const node = readBody(new ByteReader(body));
      finishFolder(apply, path, node);
      checkNode(apply, path, node);
    }
    return warnings;
  },
};
