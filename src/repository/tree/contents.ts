import { createHash } from 'node:crypto';
import { Fault } from '../../base/faults.ts';
import type { StoredBytes, TransferOptions, TreeEntry, TreeQuery } from '../contract.ts';
import type { ChunkSource } from '../packs/chunk-source.ts';
import { checkRange, cutRange, type Piece, streamPieces } from '../piece-stream.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { treeDamaged } from './bytes.ts';
import type { Place } from './content.ts';
import type { TreeNode } from './node.ts';
import { compareTreePaths, parentPath, type TreePath, treePathText } from './path.ts';
import { readPlaces } from './reader.ts';
import { TreeSeeker } from './seeker.ts';
import { TreeOrder } from './segments.ts';

/** One page of a folder; what lies below the folders in it is jumped over without being read, unless it is asked for. */
export async function listTree(
  source: ChunkSource,
  snapshot: SnapshotRecord,
  query: TreeQuery,
  { signal }: TransferOptions,
): Promise<TreeEntry[]> {
  const folder = toTreePath(query.folder);
  const start = query.startAfter === undefined ? folder : toTreePath(query.startAfter);
  const seeker = new TreeSeeker(source, snapshot, signal);
  const isInFolder = start === folder || (query.recursive ? isBelow(start, folder) : parentPath(start) === folder);
  if (!isInFolder) throw absent(start);
  await seekNode(seeker, start);
  if (start === folder && !seeker.isFolder) throw notA('folder', folder, seeker.node);

  const order = orderAt(start);
  order.accept(start, seeker.isFolder);
  const entries: TreeEntry[] = [];
  while (entries.length < query.limit) {
    const before = seeker.path;
    const enters = query.recursive === true || before === folder;
    const found = await (enters ? seeker.next() : seeker.seek((path) => path === before || isBelow(path, before)));
    if (!found || !isBelow(seeker.path, folder)) break;
    order.accept(seeker.path, seeker.isFolder);
    entries.push(toEntry(seeker.path, seeker.node));
  }
  return entries;
}

/** Another name of a file (a hard link) counts as the file; a symlink does not. */
export async function getFile(
  source: ChunkSource,
  snapshot: SnapshotRecord,
  wanted: Uint8Array,
  { signal }: TransferOptions,
): Promise<StoredBytes> {
  const path = toTreePath(wanted);
  const seeker = new TreeSeeker(source, snapshot, signal);
  await seekNode(seeker, path);
  const found = seeker.node;
  const node = found.type === 'hardlink' ? await new FirstNames(source, snapshot, signal).get(path, found.target) : found;
  if (node.type !== 'file') throw notA('file', path, node);
  return {
    sizeBytes: node.size,
    contentId: contentId(node),
    read(range, options) {
      checkRange(range, node.size, 'file');
      return streamPieces(source, cutRange(listPlaces(source, node, options.signal), range), options.signal);
    },
  };
}

/**
 * A folder, everything below it in tree order, and after each file its bytes. A hard link to what lies outside the folder
 * comes as that file; further links to the same are links to the first.
 */
export function readTree(
  source: ChunkSource,
  snapshot: SnapshotRecord,
  folder: Uint8Array,
  { signal }: TransferOptions,
): AsyncIterable<TreeEntry | Buffer> {
  return streamPieces(source, listPieces(source, snapshot, toTreePath(folder), signal), signal);
}

async function* listPieces(
  source: ChunkSource,
  snapshot: SnapshotRecord,
  folder: TreePath,
  signal: AbortSignal | undefined,
): AsyncGenerator<Piece<TreeEntry>> {
  const seeker = new TreeSeeker(source, snapshot, signal);
  await seekNode(seeker, folder);
  if (!seeker.isFolder) throw notA('folder', folder, seeker.node);
  const order = orderAt(folder);
  const firstNames = new FirstNames(source, snapshot, signal);
  const outside = new Map<TreePath, TreePath>();
  do {
    const { path, body } = seeker;
    let { node } = seeker;
    order.accept(path, seeker.isFolder);
    if (node.type === 'hardlink') {
      const file = await firstNames.get(path, node.target);
      const first = outside.get(node.target);
      if (first !== undefined) node = { ...node, target: first };
      else if (!isBelow(node.target, folder)) {
        outside.set(node.target, path);
        node = file;
      }
    }
    yield { form: 'mark', mark: toEntry(path, node), weightBytes: body.length };
    if (node.size > 0) yield* cutRange(listPlaces(source, node, signal), { offset: 0, length: node.size });
  } while ((await seeker.next()) && isBelow(seeker.path, folder));
}

async function* listPlaces(source: ChunkSource, node: TreeNode, signal: AbortSignal | undefined): AsyncGenerator<Place> {
  if (node.content.form === 'chunk') yield { offset: 0, length: node.size, id: node.content.id };
  else yield* readPlaces(source, node, signal);
}

/**
 * Finds the files that hard links are other names of, and so proves that a link leads to a file of the tree and nowhere else. Links that
 * come in the order of their files, as in trees that share most of them, cost one walk; any other a search each.
 */
class FirstNames {
  readonly #open: () => TreeSeeker;
  #seeker: TreeSeeker | undefined;

  constructor(source: ChunkSource, snapshot: SnapshotRecord, signal: AbortSignal | undefined) {
    this.#open = () => new TreeSeeker(source, snapshot, signal);
  }

  /** @throws {Fault} `repository.tree_damaged` (corrupt) */
  async get(link: TreePath, target: TreePath): Promise<TreeNode> {
    if (compareTreePaths(target, link) >= 0) throw treeDamaged('it holds a hard link that comes before its file');
    if (this.#seeker === undefined || compareTreePaths(this.#seeker.path, target) > 0) this.#seeker = this.#open();
    const seeker = this.#seeker;
    if (seeker.path !== target) await seeker.seek((each) => compareTreePaths(each, target) < 0);
    if (seeker.path === target && seeker.body.length > 0 && seeker.node.type === 'file') return seeker.node;
    throw treeDamaged('it holds a hard link to what is no file of it');
  }
}

/** @throws {Fault} `repository.path_absent` (not-found) */
async function seekNode(seeker: TreeSeeker, path: TreePath): Promise<void> {
  const found = await seeker.seek((each) => compareTreePaths(each, path) < 0);
  if (!found || seeker.path !== path) throw absent(path);
}

/** Ready for the node at `path`: the folders that lead there are taken for granted, as their nodes have not been read. */
function orderAt(path: TreePath): TreeOrder {
  const order = new TreeOrder();
  if (path !== '') order.accept('', true);
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) order.accept(path.slice(0, slash), true);
  return order;
}

function isBelow(path: TreePath, folder: TreePath): boolean {
  return folder === '' ? path !== '' : path.startsWith(folder) && path[folder.length] === '/';
}

function toTreePath(bytes: Uint8Array): TreePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function toEntry(path: TreePath, node: TreeNode): TreeEntry {
  const { type, size, mode, uid, gid, mtimeNs, target, major, minor, xattrs } = node;
  return {
    path: Buffer.from(path, 'latin1'),
    type,
    sizeBytes: size,
    mode,
    uid,
    gid,
    mtimeNs,
    target: Buffer.from(target, 'latin1'),
    major,
    minor,
    xattrs,
  };
}

/** Chunk ids are hashes of content under the repository's key, so equal descriptions are equal bytes. */
function contentId({ content, size }: TreeNode): string {
  const hash = createHash('sha256').update(`${content.form} ${size} `);
  if (content.form === 'chunk') hash.update(content.id);
  else if (content.form === 'runs') hash.update(content.runs);
  else if (content.form === 'listed') hash.update(content.lists);
  return hash.digest('hex').slice(0, 32);
}

function absent(path: TreePath): Fault {
  return new Fault('not-found', 'repository.path_absent', `${treePathText(path)} is not in the snapshot.`, {
    help: 'List its folder to see what is there.',
  });
}

function notA(wanted: 'file' | 'folder', path: TreePath, { type, target }: TreeNode): Fault {
  const found = type === 'symlink' ? `a symlink to ${treePathText(target)}` : `a ${type}`;
  return new Fault(
    'invalid',
    wanted === 'file' ? 'repository.not_a_file' : 'repository.not_a_folder',
    `${path === '' ? 'The root' : treePathText(path)} is ${found}, not a ${wanted}.`,
  );
}
