import { type Cursor, check, createCursor } from './reader-bytes.ts';

const types = ['file', 'folder', 'symlink', 'link', 'fifo', 'character', 'block'] as const;
const maxPathBytes = 8192;
const maxBodyBytes = 1 << 20;
const maxU32 = 0xffff_ffff;

/** Bytes of a file or a volume from `offset` on; what no run covers reads as zeros. */
export interface Run {
  readonly offset: number;
  readonly length: number;
  readonly id: Buffer;
}

export interface TreeNode {
  /** From the root of the tree, which itself is empty. */
  readonly path: Buffer;
  readonly type: (typeof types)[number];
  readonly inode: bigint;
  readonly ctimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a symlink, or the first name of a hard link; else empty. */
  readonly target: Buffer;
  readonly device: readonly [major: number, minor: number] | undefined;
  readonly runs: readonly Run[];
  readonly xattrs: readonly (readonly [name: string, value: Buffer])[];
  /** Which of the segments it stands in, and what it takes there: of use to those who look at how trees are written. */
  readonly segment: number;
  readonly recordBytes: number;
}

/** All nodes of the segments in their order, and what of each segment goes into the digest. `readChunk` gives checked chunks. */
export function readSegments(
  ids: readonly Buffer[],
  readChunk: (id: Buffer) => Buffer,
): { nodes: TreeNode[]; blanked: Buffer[] } {
  const nodes: TreeNode[] = [];
  const types = new Map<string, TreeNode['type']>();
  const blanked: Buffer[] = [];
  let before = Buffer.alloc(0);
  for (const [number, id] of ids.entries()) {
    const bytes = Buffer.from(readChunk(id));
    const segment = createCursor(Buffer.from(bytes), `segment ${id.toString('hex')}`);
    check(segment.prefixed(maxPathBytes).equals(before), 'a segment does not go on where the one before ended');
    check(!segment.isAtEnd(), 'a segment is empty');
    while (!segment.isAtEnd()) {
      const start = segment.place();
      const shared = segment.varint();
      check(shared <= before.length, 'a path shares more than the one before has');
      const path = Buffer.concat([before.subarray(0, shared), segment.prefixed(maxPathBytes)]);
      const body = segment.prefixed(maxBodyBytes);
      bytes.fill(0, segment.place() - body.length, segment.place() - body.length + 20);
      const parsed = parseBody(createCursor(body, `the node ${JSON.stringify(path.toString())}`), readChunk);
      const node = { ...parsed, path, segment: number, recordBytes: segment.place() - start };
      checkPlace(node, nodes.length === 0 ? undefined : before, types);
      types.set(path.toString('latin1'), node.type);
      nodes.push(node);
      before = path;
    }
    blanked.push(bytes);
  }
  check(nodes.length > 0, 'the tree has no root folder');
  return { nodes, blanked };
}

function checkPlace({ path, type, target }: TreeNode, before: Buffer | undefined, types: ReadonlyMap<string, string>): void {
  const name = JSON.stringify(path.toString());
  check(path.length <= maxPathBytes, `${name} is too long`);
  if (before === undefined) {
    check(path.length === 0 && type === 'folder', 'the tree does not begin with its root folder');
    return;
  }
  // NUL stands in no name, so with it for "/" plain byte order is the order name by name.
  const order = (value: Buffer): Buffer => Buffer.from(value.toString('latin1').replaceAll('/', '\0'), 'latin1');
  const names = path.toString('latin1').split('/');
  check(
    !names.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')),
    `${name} has a name that cannot be`,
  );
  check(order(before).compare(order(path)) < 0, `${name} is out of order`);
  check(types.get(names.slice(0, -1).join('/')) === 'folder', `${name} is in no folder`);
  check(type !== 'link' || types.get(target.toString('latin1')) === 'file', `${name} is another name of no file`);
}

function parseBody(body: Cursor, readChunk: (id: Buffer) => Buffer): Omit<TreeNode, 'path' | 'segment' | 'recordBytes'> {
  const inode = body.u64();
  const ctimeNs = time(body);
  const type = types[body.u8() - 1];
  check(type !== undefined, 'a node has a type that is not known');
  const mtimeNs = time(body);
  const size = Number(body.u64());
  check(Number.isSafeInteger(size) && (type === 'file' || size === 0), 'a node has a size that cannot be');
  const [mode, uid, gid] = [body.varint(), body.varint(), body.varint()];
  check(mode <= 0o7777 && uid <= maxU32 && gid <= maxU32, 'a node has a mode or an owner that cannot be');
  const runs = type === 'file' ? readContent(body, size, readChunk) : [];
  const target = type === 'symlink' || type === 'link' ? body.prefixed(maxBodyBytes) : Buffer.alloc(0);
  check(type !== 'symlink' || (target.length > 0 && !target.includes(0)), 'a symlink has a target that cannot be');
  const device = type === 'character' || type === 'block' ? ([body.varint(), body.varint()] as const) : undefined;
  check(device?.every((number) => number <= maxU32) ?? true, 'a device has a number that cannot be');
  const xattrs: [string, Buffer][] = [];
  for (let left = body.varint(); left > 0; left--) {
    const name = body.prefixed(maxBodyBytes).toString('latin1');
    check(name.length <= 255 && !name.includes('\0'), 'an extended attribute has a name that cannot be');
    check(name > (xattrs.at(-1)?.[0] ?? ''), 'extended attributes are out of order');
    xattrs.push([name, body.prefixed(maxBodyBytes)]);
  }
  check(body.isAtEnd(), 'a node has bytes behind its end');
  return { type, inode, ctimeNs, mtimeNs, size, mode, uid, gid, target, device, runs, xattrs };
}

function readContent(body: Cursor, size: number, readChunk: (id: Buffer) => Buffer): Run[] {
  const form = body.u8();
  if (form === 0) return [];
  check(size > 0, 'an empty file has content');
  if (form === 1) return [{ offset: 0, length: size, id: body.take(32) }];
  check(form === 2 || form === 3, `a file has content of the form ${form}, which is not known`);
  const given = body.prefixed(maxBodyBytes);
  const runs: Run[] = [];
  let at = 0;
  const readRuns = (cursor: Cursor): void => {
    while (!cursor.isAtEnd()) {
      const offset = at + cursor.varint();
      const length = cursor.varint();
      check(length > 0 && offset + length <= size, 'a run is empty or ends beyond the size of its file');
      runs.push({ offset, length, id: cursor.take(32) });
      at = offset + length;
    }
  };
  if (form === 2) readRuns(createCursor(given, 'the runs of a file'));
  else
    for (const ids = createCursor(given, 'the runs of a file'); !ids.isAtEnd(); )
      readRuns(createCursor(readChunk(ids.take(32)), 'a chunk of runs'));
  return runs;
}

/** Nanoseconds since 1970, 96 bits in two's complement. */
function time(body: Cursor): bigint {
  const low = body.u64();
  return BigInt.asIntN(96, low | (BigInt(body.u32()) << 64n));
}
