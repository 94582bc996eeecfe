import { ByteReader, type ByteWriter, treeDamaged } from './bytes.ts';
import type { Xattr } from './posix.ts';

/**
 * The body of a node: everything about it but its path.
 *
 *   inode u64 | ctime 12 | type u8 | mtime 12 | size u64 | mode, uid, gid varint | by type | xattrs
 *
 * Inode and ctime are hints: they tell the next write whether anything changed, are blanked before the digest is taken,
 * and mean nothing on another machine. The fields up to `size` have fixed places, so an unchanged node is
 * recognised without being decoded, and its body is taken over as it is.
 */
export interface TreeNode {
  readonly type: NodeType;
  readonly inode: bigint;
  readonly ctimeNs: bigint;
  readonly mtimeNs: bigint;
  /** Bytes of a file; 0 for everything else. */
  readonly size: number;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Where a symlink points to (any bytes), or the path in the tree that a hard link is another name of. */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  readonly content: Content;
  readonly xattrs: readonly Xattr[];
}

export type NodeType = Exclude<(typeof nodeTypes)[number], 'none'>;

/** The place in this list is the number in the format. */
const nodeTypes = ['none', 'file', 'folder', 'symlink', 'hardlink', 'fifo', 'character', 'block'] as const;

/** Where the bytes of a file are. */
export type Content =
  /** Nothing but zeros: an empty file, or one big hole. */
  | { readonly form: 'none' }
  /** One chunk holds the whole file. */
  | { readonly form: 'chunk'; readonly id: Uint8Array }
  /** Runs, see `readRuns`. */
  | { readonly form: 'runs'; readonly runs: Uint8Array }
  /** 32 bytes a chunk; each of these chunks holds runs. For files whose runs would make the node too large. */
  | { readonly form: 'listed'; readonly lists: Uint8Array };

/** A chunk of a file and the hole before it. */
export interface Run {
  /** Bytes between the end of the run before and this one; they read as zeros. */
  readonly gap: number;
  readonly length: number;
  readonly id: Uint8Array;
}

export const idBytes = 32;
/** No body may be longer: readers refuse it, the writer leaves out xattrs that would make it so. */
export const maxBodyBytes = 1024 * 1024;
/** Runs beyond this many bytes go into chunks of their own. */
export const maxInlineRunBytes = 16 * 1024;
export const hintBytes = 20;
/** Inode, ctime, type, mtime and size. */
export const headBytes = 41;

const typeAt = 20;
const sizeAt = 33;
const contentForms = ['none', 'chunk', 'runs', 'listed'] as const;

export const emptyNode: Omit<TreeNode, 'type'> = {
  inode: 0n,
  ctimeNs: 0n,
  mtimeNs: 0n,
  size: 0,
  mode: 0,
  uid: 0,
  gid: 0,
  target: '',
  major: 0,
  minor: 0,
  content: { form: 'none' },
  xattrs: [],
};

/** What a body begins with; without a type it is no body's. */
export interface NodeHead extends Pick<TreeNode, 'inode' | 'ctimeNs' | 'mtimeNs' | 'size'> {
  readonly type: NodeType | undefined;
}

/** Everything up to `size`: always `headBytes`. */
export function writeHead(writer: ByteWriter, node: NodeHead): void {
  writer.u64(node.inode);
  writer.time(node.ctimeNs);
  writer.byte(nodeTypes.indexOf(node.type ?? 'none'));
  writer.time(node.mtimeNs);
  writer.u64(BigInt(node.size));
}

export function headType(head: Buffer): NodeType | undefined {
  const type = nodeTypes[head[typeAt] ?? 0];
  return type === 'none' ? undefined : type;
}

export function headSize(head: Buffer): number {
  return Number(head.readBigUInt64LE(sizeAt));
}

export function headTimes(head: Buffer): Omit<NodeHead, 'type'> {
  const reader = new ByteReader(head);
  const inode = reader.u64();
  const ctimeNs = reader.time();
  reader.byte();
  return { inode, ctimeNs, mtimeNs: reader.time(), size: Number(reader.u64()) };
}

export function writeBody(writer: ByteWriter, node: TreeNode): void {
  writeHead(writer, node);
  writer.varint(node.mode);
  writer.varint(node.uid);
  writer.varint(node.gid);
  if (node.type === 'file') writeContent(writer, node.content);
  else if (node.type === 'symlink' || node.type === 'hardlink') writer.sizedText(node.target);
  else if (node.type === 'character' || node.type === 'block') {
    writer.varint(node.major);
    writer.varint(node.minor);
  }
  writer.varint(node.xattrs.length);
  for (const { name, value } of node.xattrs) {
    writer.sizedBytes(name);
    writer.sizedBytes(value);
  }
}

function writeContent(writer: ByteWriter, content: Content): void {
  writer.byte(contentForms.indexOf(content.form));
  if (content.form === 'chunk') writer.bytes(content.id);
  else if (content.form === 'runs') writer.sizedBytes(content.runs);
  else if (content.form === 'listed') writer.sizedBytes(content.lists);
}

/**
 * Reads one body that ends where the reader ends. Byte fields are views into the reader's bytes.
 * @throws {Fault} `repository.tree_damaged` (corrupt)
 */
export function readBody(reader: ByteReader): TreeNode {
  const inode = reader.u64();
  const ctimeNs = reader.time();
  const type = nodeTypes[reader.byte()];
  if (type === undefined || type === 'none') throw treeDamaged('it holds a node of an unknown type');
  const mtimeNs = reader.time();
  const size = Number(reader.u64());
  if (!Number.isSafeInteger(size) || (size !== 0 && type !== 'file')) throw treeDamaged('it holds an impossible size');
  const mode = reader.varint();
  const uid = reader.varint();
  const gid = reader.varint();
  if (mode > 0o7777 || uid > 0xffff_ffff || gid > 0xffff_ffff) throw treeDamaged('it holds an impossible mode or owner');
  const content = type === 'file' ? readContent(reader, size) : ({ form: 'none' } as const);
  const target = type === 'symlink' || type === 'hardlink' ? reader.text(reader.varint()) : '';
  if (type === 'symlink' && (target === '' || target.includes('\0'))) throw treeDamaged('it holds an impossible link');
  const device = type === 'character' || type === 'block';
  const major = device ? reader.varint() : 0;
  const minor = device ? reader.varint() : 0;
  if (major > 0xffff_ffff || minor > 0xffff_ffff) throw treeDamaged('it holds an impossible device number');
  const xattrs = readXattrs(reader);
  if (!reader.done) throw treeDamaged('it holds more than a node should');
  return { type, inode, ctimeNs, mtimeNs, size, mode, uid, gid, target, major, minor, content, xattrs };
}

function readContent(reader: ByteReader, size: number): Content {
  const form = contentForms[reader.byte()];
  if (form === undefined) throw treeDamaged('it holds content of an unknown form');
  if (form === 'none') return { form };
  if (size === 0) throw treeDamaged('it holds an empty file with content');
  if (form === 'chunk') return { form, id: reader.view(idBytes) };
  const bytes = reader.view(reader.varint());
  if (form === 'runs') return { form, runs: bytes };
  if (bytes.length % idBytes !== 0) throw treeDamaged('it holds a list of a broken length');
  return { form, lists: bytes };
}

function readXattrs(reader: ByteReader): Xattr[] {
  const count = reader.varint();
  const xattrs: Xattr[] = [];
  // Every one takes at least two bytes, so a made-up count ends at the end of the body.
  for (let i = 0; i < count; i++) {
    const name = reader.view(reader.varint());
    const value = reader.view(reader.varint());
    if (name.length === 0 || name.length > 255 || name.includes(0))
      throw treeDamaged('it holds an impossible extended attribute');
    xattrs.push({ name, value });
  }
  return xattrs;
}

export function writeRun(writer: ByteWriter, run: Run): void {
  writer.varint(run.gap);
  writer.varint(run.length);
  writer.bytes(run.id);
}

/**
 * The runs of a file in order of their place. The caller checks that they stay within the file.
 * @throws {Fault} `repository.tree_damaged` (corrupt)
 */
export function* readRuns(reader: ByteReader): Generator<Run> {
  while (!reader.done) {
    const gap = reader.varint();
    const length = reader.varint();
    if (length === 0) throw treeDamaged('it holds an empty run');
    yield { gap, length, id: reader.view(idBytes) };
  }
}

/** What a body says at its fixed places; `undefined` when it is too short to be one. */
export function isTypeOf(body: Buffer, type: NodeType): boolean {
  return body.length >= headBytes && body[typeAt] === nodeTypes.indexOf(type);
}

/** The content of a file of one chunk or none and without attributes, which nearly all are, without decoding the rest; undefined for any other. */
export function findPlainContent(body: Buffer): Content | undefined {
  let at = headBytes;
  for (let varint = 0; varint < 3; varint++) {
    while ((body[at] ?? 0) >= 0x80) at++;
    at++;
  }
  const form = contentForms[body[at++] ?? 0];
  const idEnd = at + (form === 'chunk' ? idBytes : 0);
  if (body.length !== idEnd + 1 || body[idEnd] !== 0) return undefined;
  if (form === 'chunk' && headSize(body) > 0) return { form, id: body.subarray(at, idEnd) };
  return form === 'none' ? { form } : undefined;
}

/** Same type, inode, times of change (of content and of the inode) and size. */
export function looksUnchanged(body: Buffer, head: Buffer): boolean {
  return body.length >= headBytes && body.compare(head, 0, headBytes, 0, headBytes) === 0;
}
