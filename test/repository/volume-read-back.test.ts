import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KiB } from '../../src/base/bytes.ts';
import { systemClock } from '../../src/base/clock.ts';
import { restoreVolume } from '../../src/repository/volume/restorer.ts';
import { writeVolume } from '../../src/repository/volume/writer.ts';
import { createInlineCore, type InlineCore } from '../kit/inline-core.ts';
import { createFolder } from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';

const chance = createSeeded('repository/volume-read-back');
const slot = 256 * KiB;

/** A volume whose third chunk, the last and a short one, comes back as `wrong` until `place_chunks` has run so many times. */
async function restoreWrongly(
  wrong: (plain: Buffer) => Buffer,
  rounds: number,
): Promise<{ bytes: Buffer; restored: Buffer | undefined; error: unknown; placed: number }> {
  using folder = createFolder();
  const core: InlineCore = createInlineCore();
  const bytes = chance.bytes(2 * slot + 1000);
  await writeVolume(core, systemClock, { path: folder.file('volume', bytes) }, { subject: 's' });
  const [record] = core.snapshots;
  if (record === undefined) throw new Error('Nothing was written.');
  const last = bytes.subarray(2 * slot);
  const name = core.digest(last).toString('hex');
  core.chunks.set(name, wrong(last));
  let placed = 0;
  core.beforeTask = (task) => {
    if (task === 'volume.place_chunks' && ++placed > rounds) core.chunks.set(name, last);
  };
  const path = join(folder.path, 'restored');
  const error = await restoreVolume(core, record, { path, overwrite: false }, {}).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { bytes, restored: existsSync(path) ? readFileSync(path) : undefined, error, placed };
}

test.each([
  ['other bytes', (plain: Buffer) => Buffer.from(plain.map((byte) => byte ^ 1))],
  ['fewer bytes', (plain: Buffer) => plain.subarray(1)],
  ['more bytes, which do not reach beyond the volume', (plain: Buffer) => Buffer.concat([plain.subarray(1), plain])],
])('a chunk that has %s is found when the volume is read back, and restored once more', async (_, wrong) => {
  const { bytes, restored, error, placed } = await restoreWrongly(wrong, 1);
  expect(error).toBeUndefined();
  expect(restored?.equals(bytes)).toBe(true);
  expect(placed).toBe(2);
});

test('one that differs again fails the restore, and nothing stands under the name', async () => {
  const { restored, error, placed } = await restoreWrongly((plain) => Buffer.from(plain.map((byte) => byte ^ 1)), 2);
  expect(error).toMatchObject({ kind: 'corrupt', code: 'repository.restore_differs' });
  expect(restored).toBeUndefined();
  expect(placed).toBe(2);
});
