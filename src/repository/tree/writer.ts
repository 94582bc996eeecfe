import { realpathSync, statSync } from 'node:fs';
import { type Clock, systemClock } from '../../base/clock.ts';
import { Fault, faultText } from '../../base/faults.ts';
import type { SnapshotSummary, TreeInput, WriteOptions } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import { fileFault } from '../file-faults.ts';
import { createTreeFilter } from './filter.ts';
import { returnFreedMemory } from './free-memory.ts';
import { ParentNodes } from './parent.ts';
import { bytePath } from './path.ts';
import { loadPosix } from './posix.ts';
import { describeRoot } from './reader.ts';
import { TreeWalk } from './walk.ts';
import { Warnings } from './warnings.ts';
import { TreeWrite } from './write.ts';

/**
 * Writes everything below a folder as a tree snapshot. What has the size, times and inode of the parent snapshot's node is taken over unread. The walk
 * goes on while worker threads read batches of files; memory does not grow with the tree.
 * @throws {Fault} `repository.file_failed`, `repository.not_a_folder` (invalid) for the root, `repository.bad_pattern` (invalid), `base.cancelled`
 */
export async function writeTree(
  core: RepositoryCore,
  input: TreeInput,
  options: WriteOptions,
  clock: Clock = systemClock,
): Promise<SnapshotSummary> {
  createTreeFilter(input.include, input.exclude); // no pattern: said before anything is opened
  const root = openRoot(input.path);
  returnFreedMemory();
  const parent = await core.findParent(options.subject, options.signal);
  const session = core.openSession(options);
  const warnings = new Warnings();
  for (const gap of loadPosix().gaps) warnings.add(gap);
  const usedParent = parent?.kind === 'tree' ? parent : undefined;
  const parentNodes = new ParentNodes(core, usedParent, session.signal, (fault) => {
    warnings.add(
      `The earlier snapshot ${parent?.id} could not be compared with, so everything was read anew: ${faultText(fault)}`,
    );
  });
  try {
    const walk = new TreeWalk({ input, root, session, threads: core.threads, warn: warnings.add });
    const write = new TreeWrite(core, session, {
      root,
      parent: parentNodes,
      warnings,
      readEverything: options.readEverything === true,
      // A second before the start: also a coarse clock of a file system has moved on since such a change.
      changedBeforeNs: BigInt(clock.now() - 1000) * 1_000_000n,
    });
    for await (const entries of walk.entries()) for (const entry of entries) await write.add(entry);
    const { segments, digest } = await write.finish();
    const record = await session.finish({
      kind: 'tree',
      subject: options.subject,
      sizeBytes: write.sizeBytes,
      files: write.files,
      digest,
      warnings: warnings.list(),
      parent: usedParent?.id ?? null,
      source: {},
      root: describeRoot(segments),
    });
    const { id, kind, sizeBytes, storedBytes, reusedBytes, files } = record;
    return { id, kind, sizeBytes, storedBytes, reusedBytes, digest, files, warnings: record.warnings };
  } finally {
    await session.close();
    await parentNodes.close();
  }
}

function openRoot(path: string): string {
  try {
    const real = realpathSync(path);
    if (statSync(real).isDirectory()) return bytePath(real === '/' ? '' : real);
  } catch (error) {
    throw fileFault(error, 'open', path);
  }
  throw new Fault('invalid', 'repository.not_a_folder', `${path} is not a folder.`, {
    help: 'Name a folder to write as a tree.',
  });
}
