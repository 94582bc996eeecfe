import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { digestFiles, digestImage, type FileDigests, sameDigests } from '../kit/digests.ts';
import { type ApiInstance, type ApiPlan, createKarriClient, type KarriClient } from '../kit/karri-client.ts';
import { createKarriProcess, type KarriProcess } from '../kit/karri-process.ts';
import { createSeeded, seed } from '../kit/seeded.ts';

const mebibyte = 1024 * 1024;
const imageBytes = 160 * mebibyte;
const killsEach = 5;
/** A bank so slow that no operation is over before its kill; a fast machine would have done with it in a blink. */
const slowBank = { KARRI_UPLOAD_LIMIT: '24MiB', KARRI_DOWNLOAD_LIMIT: '64MiB' };
/** An operation may be over before its moment came; then it is begun again with new bytes. */
const maxTries = 4;

const dir = mkdtempSync(join(tmpdir(), 'karri-crash-'));
const volumesDir = join(dir, 'volumes');
const treeDir = join(volumesDir, 'tree');
const imagePath = join(volumesDir, 'disk.img');
const random = createSeeded('crash');

interface Version {
  readonly checkpointId: string;
  readonly image: string;
  readonly tree: FileDigests;
}

let karri: KarriProcess;
let client: KarriClient;
let plan: ApiPlan;
const versions: Version[] = [];
let protectMs = 0;
let restoreMs = 0;
let restores = 0;

beforeAll(async () => {
  console.log(`seed ${seed}`);
  mkdirSync(treeDir, { recursive: true });
  writeFileSync(imagePath, '');
  truncateSync(imagePath, imageBytes);
  karri = await createKarriProcess({ stateDir: join(dir, 'state'), settings: { KARRI_VOLUMES_DIR: volumesDir, ...slowBank } });
  await karri.start();
  client = createKarriClient({ url: karri.url, projectId: 'crash', userId: 'e2e', pollMs: 30 });
  changeVolumes();
  plan = await createPlan();
  protectMs = await measure(async () => {
    const checkpoint = await client.createCheckpoint(plan);
    await expectAvailable(checkpoint.id);
    remember(checkpoint.id);
  });
  restoreMs = await measure(() => restoreAndCompare(versions[0]!, async () => undefined));
});

afterAll(async () => {
  await karri.dispose();
  rmSync(dir, { recursive: true });
});

describe(`kill -9 of the service, seed ${seed}`, () => {
  for (let n = 0; n < killsEach; n += 1) {
    test(`in the middle of a protect, moment ${n + 1} of ${killsEach}: it goes on by itself`, async () => {
      for (let tries = 1; ; tries += 1) {
        changeVolumes();
        const checkpoint = await client.createCheckpoint(plan);
        const hit = await killAt(
          momentOf(n, tries) * protectMs,
          async () => (await getCheckpoint(checkpoint.id)).status === 'protecting',
        );
        await expectAvailable(checkpoint.id);
        remember(checkpoint.id);
        if (hit) return;
        expect(tries, 'the protect was over before each kill').toBeLessThan(maxTries);
      }
    });
  }

  for (let n = 0; n < killsEach; n += 1) {
    test(`in the middle of a restore, moment ${n + 1} of ${killsEach}: it goes on by itself, bytes equal`, async () => {
      for (let tries = 1; ; tries += 1) {
        let hit = false;
        await restoreAndCompare(versions.at(-1 - n)!, async (id) => {
          hit = await killAt(momentOf(n, tries) * restoreMs, async () => (await client.getRestore(id)).status === 'in_progress');
        });
        if (hit) return;
        expect(tries, 'the restore was over before each kill').toBeLessThan(maxTries);
      }
    });
  }

  test('the first checkpoint, older than every crash, still restores', async () => {
    await restoreAndCompare(versions[0]!, async () => undefined);
  });

  test('what the bank lists is what was made, all of it available', async () => {
    const listed = await client.listCheckpoints(plan.provider_id);
    expect(listed.map(({ id }) => id).sort()).toEqual(versions.map(({ checkpointId }) => checkpointId).sort());
    expect(new Set(listed.map(({ status }) => status))).toEqual(new Set(['available']));
  });
});

/** A share of the whole: its own slice for every kill, chance within the slice, earlier with every further try. */
function momentOf(n: number, tries: number): number {
  return (n + random.fraction()) / killsEach / tries;
}

/** Waits, kills and starts again; whether the operation was still running right before the kill. */
async function killAt(afterMs: number, isRunning: () => Promise<boolean>): Promise<boolean> {
  await sleep(afterMs);
  const hit = await isRunning();
  await karri.kill();
  await karri.start();
  return hit;
}

async function expectAvailable(checkpointId: string): Promise<void> {
  const ended = await client.waitForCheckpoint(plan.provider_id, checkpointId);
  const [log] = await client.listOperationLogs({ checkpoint_id: checkpointId });
  expect({ status: ended.status, error: log?.error_info }).toEqual({ status: 'available', error: null });
}

async function restoreAndCompare(version: Version, during: (restoreId: string) => Promise<void>): Promise<void> {
  restores += 1;
  const restore = await client.createRestore({
    provider_id: plan.provider_id,
    checkpoint_id: version.checkpointId,
    parameters: {
      'Host::Directory': { restore_name: `tree-${restores}` },
      'Host::Block': { restore_name: `disk-${restores}.img` },
    },
  });
  await during(restore.id);
  const ended = await client.waitForRestore(restore.id);
  expect({ status: ended.status, reasons: Object.values(ended.resources_reason) }).toEqual({
    status: 'success',
    reasons: ['', ''],
  });
  const restoredTree = join(volumesDir, `tree-${restores}`);
  const restoredImage = join(volumesDir, `disk-${restores}.img`);
  expect(digestImage(restoredImage)).toBe(version.image);
  expect(sameDigests(digestFiles(restoredTree), version.tree)).toBe(true);
  rmSync(restoredTree, { recursive: true });
  rmSync(restoredImage);
}

async function createPlan(): Promise<ApiPlan> {
  const [provider] = await client.listProviders();
  const volumes: ApiInstance[] = [
    ...(await client.listInstances('Host::Directory')),
    ...(await client.listInstances('Host::Block')),
  ];
  expect(volumes.map(({ name }) => name)).toEqual(['tree', 'disk.img']);
  return await client.createPlan({
    name: 'crash',
    provider_id: provider?.id ?? '',
    resources: volumes.map(({ id, type, name }) => ({ id, type, name })),
    parameters: {},
  });
}

function getCheckpoint(id: string) {
  return client.getCheckpoint(plan.provider_id, id);
}

/** New bytes in a third of the image and in a part of the files. */
function changeVolumes(): void {
  for (let n = 0; n < 12; n += 1) {
    overwrite(imagePath, Math.floor(random.fraction() * (imageBytes / mebibyte - 4)) * mebibyte, random.bytes(4 * mebibyte));
  }
  for (let n = 0; n < 60; n += 1) {
    const folder = join(treeDir, `${n % 7}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, `${Math.floor(random.fraction() * 200)}.bin`),
      random.bytes(1 + Math.floor(random.fraction() * 300_000)),
    );
  }
}

function remember(checkpointId: string): void {
  versions.push({ checkpointId, image: digestImage(imagePath), tree: digestFiles(treeDir) });
}

async function measure(work: () => Promise<void>): Promise<number> {
  const began = systemClock.monotonic();
  await work();
  return systemClock.monotonic() - began;
}

function overwrite(path: string, position: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, position);
  closeSync(file);
}
