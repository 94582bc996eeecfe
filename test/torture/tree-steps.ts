import {
  chmodSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import fc from 'fast-check';
import { loadPosix } from '../../src/repository/tree/posix.ts';
import type { Seeded } from '../kit/seeded.ts';

/** Few names, so that the same one often turns up with another thing under it. */
const name = fc.oneof(
  fc.constantFrom('a', 'a-', 'a.b', 'b', 'ab', 'A', '\u00ff', ' ', '-', '~'),
  fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 20 }).map((bytes) => String.fromCharCode(...bytes)),
);
const safeName = name.filter((text) => text !== '.' && text !== '..' && !text.includes('/'));
const path = fc.array(safeName, { minLength: 1, maxLength: 4 });

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('file' as const),
      path,
      size: fc.oneof(fc.nat(3000), fc.nat(1_500_000)),
      mode: fc.integer({ min: 0o400, max: 0o777 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('folder' as const), path, mode: fc.constantFrom(0o700, 0o755, 0o1777, 0o2755) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('symlink' as const), path, to: path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('link' as const), path, to: path }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('time' as const), path, ns: fc.bigInt({ min: -(2n ** 60n), max: 2n ** 62n }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('hole' as const),
      path,
      at: fc.nat(40).map((n) => n * 65_536),
      length: fc.nat(600_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const), path, to: path }) },
);
export type TreeStep = typeof step extends fc.Arbitrary<infer T> ? T : never;

export const treeSteps = fc.array(step, { minLength: 1, maxLength: 25 });

const bytes = (root: string, parts: readonly string[]): Buffer =>
  Buffer.concat([Buffer.from(root), Buffer.from(`/${parts.join('/')}`, 'latin1')]);

/** Steps that the file system refuses (a file in the way, nothing there) are simply not taken. */
export function takeTreeStep(root: string, action: TreeStep, chance: Seeded): void {
  const place = bytes(root, action.path);
  try {
    if (action.do === 'file' || action.do === 'folder') mkdirSync(bytes(root, action.path.slice(0, -1)), { recursive: true });
    if (action.do === 'file') writeFileSync(place, chance.bytes(action.size), { mode: action.mode });
    else if (action.do === 'hole') {
      const fd = openSync(place, 'r+');
      const size = fstatSync(fd).size;
      ftruncateSync(fd, size + action.at);
      writeSync(fd, chance.bytes(action.length), 0, action.length, size + action.at);
      closeSync(fd);
    } else if (action.do === 'folder') {
      mkdirSync(place);
      chmodSync(place, action.mode);
    } else if (action.do === 'symlink') symlinkSync(Buffer.from(action.to.join('/'), 'latin1'), place);
    else if (action.do === 'link') linkSync(bytes(root, action.to), place);
    else if (action.do === 'time') loadPosix().setTime(place, action.ns);
    else if (action.do === 'remove') rmSync(place, { recursive: true });
    else renameSync(place, bytes(root, action.to));
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    if (!/^(E[A-Z]+|ERR_FS_.*|repository\.file_failed)$/.test(code)) throw error;
  }
}
