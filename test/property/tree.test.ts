import { chmodSync, linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { Repository } from '../../src/repository/contract.ts';
import { openRepository } from '../../src/repository/repository.ts';
import { loadPosix } from '../../src/repository/tree/posix.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createSeeded, seed } from '../kit/seeded.ts';
import { compareTrees } from '../kit/tree-compare.ts';

let folder: string;
let repository: Repository;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'karri-tree-property-'));
  const key = Buffer.alloc(32, 1);
  const store = createMemoryStore();
  repository = await openRepository({
    store,
    projectId: 'p',
    providerKey: key,
    create: true,
    log: silentLog,
    threads: 2,
    scratchFolder: folder,
  });
});
afterAll(async () => {
  await repository.close();
  rmSync(folder, { recursive: true, force: true });
});

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
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const), path, to: path }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const seeded = createSeeded('tree property');
const bytes = (root: string, parts: readonly string[]): Buffer =>
  Buffer.concat([Buffer.from(root), Buffer.from(`/${parts.join('/')}`, 'latin1')]);

/** Steps that the file system refuses (a file in the way, nothing there) are simply not taken. */
function take(root: string, action: Step): void {
  const place = bytes(root, action.path);
  try {
    if (action.do === 'file' || action.do === 'folder') mkdirSync(bytes(root, action.path.slice(0, -1)), { recursive: true });
    if (action.do === 'file') writeFileSync(place, seeded.bytes(action.size), { mode: action.mode });
    else if (action.do === 'folder') {
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

let run = 0;
test('any tree, changed in any way between two writes, comes back as it was', async () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(steps, steps, async (first, second) => {
      run++;
      const source = join(folder, `source-${run}`);
      mkdirSync(source);
      for (const actions of [first, second]) {
        for (const action of actions) take(source, action);
        const target = join(folder, `target-${run}`);
        const { id, warnings } = await repository.writeTree({ path: source }, { subject: `${run}` });
        expect(warnings).toEqual([]);
        await repository.restoreTree(id, { path: target }, {});
        expect(compareTrees(source, target)).toEqual([]);
        rmSync(target, { recursive: true });
      }
      rmSync(source, { recursive: true });
    }),
    { numRuns: 20, seed },
  );
});
