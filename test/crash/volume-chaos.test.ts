import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { KiB, MiB } from '../../src/base/bytes.ts';
import { sleep } from '../../src/base/clock.ts';
import { Fault, toFault } from '../../src/base/faults.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { changeStore, createFolder, openTestRepository, withRepository } from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';

const chance = createSeeded('crash/volume-chaos');
const upTo = (count: number): number => Math.floor(chance.fraction() * count);
const writers = 5;
const writesEach = 12;

/**
 * Writers of two repository objects share one bank and most of their bytes; puts fail now and then, and some writes are cancelled. What
 * was said to be written must be whole, whoever stored the chunks it stands on, and whatever became of those who did.
 */
test('what was written beside failing and cancelled writes is whole', async () => {
  using folder = createFolder();
  const memory = createMemoryStore();
  const store = changeStore(memory, {
    async put(key, body, options) {
      await sleep(upTo(10));
      if (chance.fraction() < 0.06) throw new Fault('unavailable', 'storage.failed', 'Not now.', { retry: 'never' });
      await memory.put(key, body, options);
    },
  });
  const common = chance.bytes(6 * MiB);
  await withRepository(memory, () => Promise.resolve()); // makes the keys where nothing fails
  const repositories = [await openTestRepository(store), await openTestRepository(store)];
  const written: { readonly id: string; readonly bytes: Buffer }[] = [];
  const outcomes = new Set<string>();

  const write = async (writer: number, n: number): Promise<void> => {
    const bytes = Buffer.concat([common.subarray(upTo(20) * 256 * KiB), Buffer.alloc(upTo(MiB)), chance.bytes(upTo(300 * KiB))]);
    const path = folder.file(`${writer}-${n}`, bytes);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), n % 4 === 0 ? upTo(30) : 60_000);
    try {
      const subject = `s${writer}`;
      const summary = await repositories[writer % 2]?.writeVolume({ path }, { subject, signal: abort.signal });
      if (summary) written.push({ id: summary.id, bytes });
    } catch (error) {
      outcomes.add(toFault(error).code);
    } finally {
      clearTimeout(timer);
    }
  };
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let n = 0; n < writesEach; n++) await write(writer, n);
    }),
  );
  for (const repository of repositories) await repository.close();

  expect(written.length).toBeGreaterThan(0);
  expect([...outcomes].filter((code) => code !== 'storage.failed' && code !== 'base.cancelled')).toEqual([]);
  await withRepository(memory, async (repository) => {
    for (const { id, bytes } of written) {
      const path = folder.file(id);
      await repository.restoreVolume(id, { path, overwrite: false }, {});
      expect(readFileSync(path).equals(bytes)).toBe(true);
    }
    expect((await repository.check(100, {})).damages).toEqual([]);
  });
});
