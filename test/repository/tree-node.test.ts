import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFault } from '../../src/base/faults.ts';
import { ByteReader, ByteWriter } from '../../src/repository/tree/bytes.ts';
import {
  type Content,
  emptyNode,
  findPlainContent,
  headBytes,
  looksUnchanged,
  type NodeHead,
  readBody,
  type TreeNode,
  writeBody,
  writeHead,
} from '../../src/repository/tree/node.ts';
import { compareTreePaths } from '../../src/repository/tree/path.ts';
import { SegmentCutter, SegmentReader, TreeOrder } from '../../src/repository/tree/segments.ts';

const bytes = (min: number, max: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((array) => Buffer.from(array));
const latin1 = (min: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 1, max: 255 }), { minLength: min, maxLength: 40 }).map((codes) => String.fromCharCode(...codes));

const content: fc.Arbitrary<Content> = fc.oneof(
  fc.constant<Content>({ form: 'none' }),
  bytes(32, 32).map((id): Content => ({ form: 'chunk', id })),
  bytes(0, 100).map((runs): Content => ({ form: 'runs', runs })),
  bytes(32, 32).map((id): Content => ({ form: 'listed', lists: Buffer.concat([id, id]) })),
);

const common = {
  inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  ctimeNs: fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
  mtimeNs: fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 0xffff_fffe }),
  gid: fc.integer({ min: 0, max: 0xffff_fffe }),
  xattrs: fc.array(
    fc.record({ name: fc.constantFrom('user.a', 'user.b').map((name) => Buffer.from(name)), value: bytes(0, 30) }),
    { maxLength: 3 },
  ),
};

const anyNode: fc.Arbitrary<TreeNode> = fc.oneof(
  fc
    .record({ ...common, content, size: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) })
    .map((node): TreeNode => ({ ...emptyNode, ...node, type: 'file' })),
  fc.record({ ...common, target: latin1(1) }).map((node): TreeNode => ({ ...emptyNode, ...node, type: 'symlink' })),
  fc.record({ target: latin1(0) }).map((node): TreeNode => ({ ...emptyNode, ...node, type: 'hardlink' })),
  fc
    .record({ ...common, major: fc.nat(), minor: fc.nat() })
    .map((node): TreeNode => ({ ...emptyNode, ...node, type: node.major % 2 === 0 ? 'block' : 'character' })),
  fc.record(common).map((node): TreeNode => ({ ...emptyNode, ...node, type: 'folder' })),
);

function encode(node: TreeNode): Buffer {
  const writer = new ByteWriter(16);
  writeBody(writer, node);
  return writer.take();
}

describe('node bodies', () => {
  test('are read as they were written', () => {
    fc.assert(
      fc.property(anyNode, (node) => {
        expect(readBody(new ByteReader(encode(node)))).toEqual(node);
      }),
    );
  });

  test('garbage is a fault, never anything else', () => {
    const mangled = fc
      .tuple(anyNode, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean())
      .map(([node, place, flip, cut]) => {
        const body = encode(node);
        const at = place % body.length;
        if (cut) return body.subarray(0, at);
        body[at] = (body[at] as number) ^ flip;
        return body;
      });
    fc.assert(
      fc.property(fc.oneof(mangled, bytes(0, 200)), (body) => {
        try {
          readBody(new ByteReader(body));
        } catch (error) {
          expect(isFault(error, 'repository.tree_damaged')).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('an unchanged file is recognised, a change of anything is seen', () => {
    const now = { type: 'file', inode: 12n, ctimeNs: -5n, mtimeNs: 2n ** 70n, size: 9 } as const;
    const head = (change: Partial<NodeHead>): Buffer => {
      const writer = new ByteWriter(headBytes);
      writeHead(writer, { ...now, ...change });
      return writer.take();
    };
    const body = encode({ ...emptyNode, ...now, content: { form: 'none' } });
    expect(looksUnchanged(body, head({}))).toBe(true);
    const changes = [{ inode: 13n }, { ctimeNs: -6n }, { mtimeNs: 2n ** 70n + 1n }, { size: 10 }, { type: 'folder' }] as const;
    for (const change of changes) expect(looksUnchanged(body, head(change))).toBe(false);
    expect(looksUnchanged(body.subarray(0, 30), head({}))).toBe(false);
  });

  test('plain content is found without decoding a node, and nothing else is taken for it', () => {
    fc.assert(
      fc.property(anyNode, (node) => {
        const body = encode(node);
        const found = findPlainContent(body);
        const isPlain = node.type === 'file' && ['none', 'chunk'].includes(node.content.form) && node.xattrs.length === 0;
        if (isPlain) expect(found).toEqual(readBody(new ByteReader(body)).content);
        if (found !== undefined && node.type === 'file') expect(isPlain).toBe(true);
      }),
    );
  });
});

describe('segments', () => {
  const paths = Array.from(
    { length: 12_000 },
    (_, i) => `folder-${String(i >> 7).padStart(4, '0')}/file-${String(i).padStart(6, '0')}`,
  );
  const cut = (list: readonly string[], bodyOf: (path: string) => Buffer): Buffer[] => {
    const cutter = new SegmentCutter();
    const segments = list.map((path) => cutter.add(path, bodyOf(path))).filter((segment) => segment !== undefined);
    const last = cutter.finish();
    return last === undefined ? segments : [...segments, last];
  };
  const body = (path: string): Buffer => Buffer.alloc(80, path);

  test('give back paths and bodies in order, each segment by itself', () => {
    const segments = cut(paths, body);
    expect(segments.length).toBeGreaterThan(3);
    const found: string[] = [];
    for (const segment of segments) {
      const reader = new SegmentReader(segment);
      expect(reader.before).toBe(found.at(-1) ?? '');
      while (reader.next()) {
        found.push(reader.path);
        expect(reader.body.equals(body(reader.path))).toBe(true);
      }
    }
    expect(found).toEqual(paths);
  });

  test('a new, a missing and a changed node change few segments', () => {
    const before = new Set(cut(paths, body).map((segment) => segment.toString('latin1')));
    const changed = [...paths.slice(0, 100), 'folder-0000/file-000099a', ...paths.slice(100, 9000), ...paths.slice(9001)];
    const after = cut(changed, (path) => (path.endsWith('5000') ? Buffer.alloc(80, 1) : body(path)));
    expect(after.filter((segment) => !before.has(segment.toString('latin1'))).length).toBeLessThanOrEqual(6);
  });

  test('garbage is a fault, never anything else', () => {
    const segment = cut(paths.slice(0, 50), body)[0] ?? Buffer.alloc(0);
    fc.assert(
      fc.property(fc.nat(segment.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const mangled = Buffer.from(segment);
        mangled[at] = (mangled[at] as number) ^ flip;
        try {
          const reader = new SegmentReader(mangled);
          while (reader.next());
        } catch (error) {
          expect(isFault(error, 'repository.tree_damaged')).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the order of a tree', () => {
  const accept = (nodes: readonly (readonly [string, boolean])[]): void => {
    const order = new TreeOrder();
    for (const [path, isFolder] of nodes) order.accept(path, isFolder);
  };

  test('folders come before what is in them, entries by their bytes', () => {
    const sorted = ['', 'a', 'a/b', 'a/b/c', 'a/z', 'a-', 'a.b', 'b', '\u00ff'];
    expect([...sorted].sort(compareTreePaths)).toEqual(sorted);
    accept(sorted.map((path) => [path, ['', 'a', 'a/b'].includes(path)]));
  });

  test.each<[string, (readonly [string, boolean])[]]>([
    ['no root', [['a', true]]],
    ['a root that is no folder', [['', false]]],
    [
      'twice the same path',
      [
        ['', true],
        ['a', false],
        ['a', false],
      ],
    ],
    [
      'paths out of order',
      [
        ['', true],
        ['b', false],
        ['a', false],
      ],
    ],
    [
      'a parent that is no folder',
      [
        ['', true],
        ['a', false],
        ['a/b', false],
      ],
    ],
    [
      'a parent that is missing',
      [
        ['', true],
        ['a/b', false],
      ],
    ],
    [
      'a parent that only begins alike',
      [
        ['', true],
        ['ab', true],
        ['ab/c', false],
        ['abc/d', false],
      ],
    ],
    [
      'a parent that was left',
      [
        ['', true],
        ['a', true],
        ['b', true],
        ['a/b', false],
      ],
    ],
    [
      'dots',
      [
        ['', true],
        ['..', true],
      ],
    ],
    [
      'a dot below',
      [
        ['', true],
        ['a', true],
        ['a/.', true],
      ],
    ],
    [
      'an empty name',
      [
        ['', true],
        ['a', true],
        ['a/', true],
      ],
    ],
    [
      'an absolute path',
      [
        ['', true],
        ['/etc', true],
      ],
    ],
    [
      'NUL',
      [
        ['', true],
        ['a\0b', false],
      ],
    ],
  ])('refuses %s', (_, nodes) => {
    expect(() => accept(nodes)).toThrow(expect.objectContaining({ code: 'repository.tree_damaged' }));
  });
});
