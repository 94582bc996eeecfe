import { describe, expect, test } from 'vitest';
import { Refused } from './reader-bytes.ts';
import { readSegments } from './reader-tree.ts';

/** A body made by hand from FORMAT.md; everything in it is short enough for varints of one byte. */
interface Body {
  readonly type?: number;
  readonly size?: number;
  readonly mode?: number[];
  readonly byType?: number[];
  readonly xattrs?: number[];
}

const file = 1;
const folder = 2;
const symlink = 3;
const link = 4;
const id = [...Buffer.alloc(32, 7)];
const text = (value: string): number[] => [Buffer.byteLength(value), ...Buffer.from(value)];

function body({ type = folder, size = 0, mode = [0], byType = [], xattrs = [0] }: Body): number[] {
  const sizeBytes = [size & 0xff, size >> 8, 0, 0, 0, 0, 0, 0];
  return [...Buffer.alloc(20), type, ...Buffer.alloc(12), ...sizeBytes, ...mode, 0, 0, ...byType, ...xattrs];
}

/** One segment of these nodes; no path is shortened. */
function segment(nodes: readonly (readonly [path: string, body: Body])[], before = ''): Buffer {
  const records = nodes.map(([path, node]) => [0, ...text(path), body(node).length, ...body(node)]);
  return Buffer.from([text(before), ...records].flat());
}

function read(...segments: readonly Buffer[]): string[] {
  const ids = segments.map((_, i) => Buffer.alloc(32, i));
  const { nodes } = readSegments(ids, (chunk) => segments[chunk[0] ?? 0] ?? Buffer.alloc(0));
  return nodes.map(({ path, type }) => `${path}: ${type}`);
}

const root = ['', {}] as const;
const empty: Body = { type: file, byType: [0] };

describe('segments made by hand', () => {
  test('are read where they are right', () => {
    const target: Body = { type: link, byType: text('a') };
    const nodes = [root, ['a', empty], ['b', {}], ['b/c', target], ['b.c', { type: symlink, byType: text('..') }]] as const;
    expect(read(segment(nodes))).toEqual([': folder', 'a: file', 'b: folder', 'b/c: link', 'b.c: symlink']);
    expect(read(segment([root, ['b', {}]]), segment([['b/c', empty]], 'b'))).toEqual([': folder', 'b: folder', 'b/c: file']);
    const content: Body = { type: file, size: 9, byType: [2, 68, 1, 4, ...id, 0, 2, ...id], xattrs: [1, ...text('user.a'), 0] };
    expect(read(segment([root, ['a', content]]))).toEqual([': folder', 'a: file']);
  });

  const wrong: Readonly<Record<string, readonly (readonly [string, Body])[]>> = {
    'without a root': [['a', {}]],
    'with a root that is a file': [['', empty]],
    'with a name twice': [root, ['a', {}], ['a', {}]],
    'with names out of order': [root, ['b', {}], ['a', {}]],
    'with a dot before a slash': [root, ['b', {}], ['b.c', {}], ['b/c', {}]],
    'with a node in a file': [root, ['a', empty], ['a/b', empty]],
    'with a node in a symlink': [root, ['a', { type: symlink, byType: text('/') }], ['a/b', empty]],
    'with a node in no folder': [root, ['a/b', empty]],
    'with a name of two dots': [root, ['..', {}]],
    'with a name of one dot': [root, ['a', {}], ['a/.', {}]],
    'with an empty name': [root, ['a', {}], ['a/', {}]],
    'with an absolute path': [root, ['/a', {}]],
    'with NUL in a name': [root, ['a\0', {}]],
    'with a link to a folder': [root, ['a', {}], ['b', { type: link, byType: text('a') }]],
    'with a link to nothing': [root, ['b', { type: link, byType: text('a') }]],
    'with a link to a later file': [root, ['a', { type: link, byType: text('b') }], ['b', empty]],
    'with a symlink to nowhere': [root, ['a', { type: symlink, byType: text('') }]],
    'of an unknown type': [root, ['a', { type: 8 }]],
    'of type 0': [root, ['a', { type: 0 }]],
    'with an unknown form of content': [root, ['a', { type: file, size: 9, byType: [4] }]],
    'with a run beyond the end': [root, ['a', { type: file, size: 9, byType: [2, 34, 6, 4, ...id] }]],
    'with an empty run': [root, ['a', { type: file, size: 9, byType: [2, 34, 6, 0, ...id] }]],
    'with half a run': [root, ['a', { type: file, size: 9, byType: [2, 20, 0, 4, ...id.slice(0, 18)] }]],
    'with content in an empty file': [root, ['a', { type: file, byType: [1, ...id] }]],
    'with a folder that has a size': [root, ['a', { size: 1 }]],
    'with a mode of 13 bits': [root, ['a', { mode: [0x80, 0x40] }]],
    'with an attribute without a name': [root, ['a', { xattrs: [1, 0, 0] }]],
    'with more than a node has': [root, ['a', { xattrs: [0, 0] }]],
    'with fewer attributes than it says': [root, ['a', { xattrs: [9] }]],
  };

  test.each(Object.entries(wrong))('are refused: a tree %s', (_name, nodes) => {
    expect(() => read(segment(nodes))).toThrow(Refused);
  });

  test('are refused: what does not go on where the one before ended, or ends in the middle', () => {
    expect(() => read(segment([root, ['a', {}]]), segment([['b', {}]], ''))).toThrow(Refused);
    expect(() => read()).toThrow(Refused);
    const whole = segment([root, ['a', empty]]);
    for (let length = 0; length < whole.length; length++) {
      const isWhole = length === segment([root]).length;
      if (!isWhole) expect(() => read(whole.subarray(0, length)), `${length}`).toThrow(Refused);
    }
  });

  test('are refused: numbers and lengths without bounds', () => {
    const large = Buffer.alloc(9, 0xff);
    expect(() => read(Buffer.concat([Buffer.from([0, 0]), large]))).toThrow(Refused);
    expect(() => read(Buffer.concat([Buffer.from([0, 0, 0]), Buffer.from([0xff, 0xff, 0xff, 0x7f])]))).toThrow(Refused);
  });
});
