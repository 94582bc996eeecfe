import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { initProvider } from '../../src/config/init-provider.ts';
import { digestImage } from '../kit/digests.ts';
import { type ApiCheckpoint, type ApiPlan, createKarriClient, type KarriClient } from '../kit/karri-client.ts';
import { createKarriProcess, type KarriProcess } from '../kit/karri-process.ts';
import { createSeeded, seed } from '../kit/seeded.ts';

const imageBytes = 12 * 1024 * 1024;
const kills = 2;
/** Side by side they read 24 MiB, so both are under way for a second and a half at the least. */
const slowBank = { KARRI_DOWNLOAD_LIMIT: '8MiB' };
/** How long they may have been under way when they are killed. */
const workMs = 1000;
const maxTries = 4;
/** Every kill is followed by a start, which takes its time on a machine that is busy with other things. */
const timeoutMs = 240_000;

interface ApiVerification {
  readonly id: string;
  readonly status: string;
  readonly resources: readonly { readonly outcome: string; readonly read_bytes: number; readonly digest: string | null }[];
}

const dir = mkdtempSync(join(tmpdir(), 'karri-crash-copy-'));
const volumesDir = join(dir, 'volumes');
const imagePath = join(volumesDir, 'disk.img');
const random = createSeeded('crash-copy');

let karri: KarriProcess;
let client: KarriClient;
let south: string;

beforeAll(async () => {
  console.log(`seed ${seed}`);
  mkdirSync(volumesDir);
  const folder = join(dir, 'providers');
  for (const name of ['north', 'south'])
    initProvider({ folder, name, bank: { plugin: 'filesystem', config: { path: join(dir, `bank-${name}`) } } });
  karri = await createKarriProcess({
    stateDir: join(dir, 'state'),
    settings: { KARRI_VOLUMES_DIR: volumesDir, KARRI_PROVIDERS_DIR: folder, ...slowBank },
  });
  writeFileSync(imagePath, random.bytes(imageBytes));
  await karri.start();
  client = createKarriClient({ url: karri.url, projectId: 'crash', userId: 'e2e', pollMs: 30 });
  south = await providerNamed('south');
});

afterAll(async () => {
  await karri.dispose();
  rmSync(dir, { recursive: true });
});

async function providerNamed(name: string): Promise<string> {
  return (await client.listProviders()).find((one) => one.name === name)?.id ?? '';
}

/** A plan of its own, with one checkpoint of what the image holds now. */
async function protectNew(): Promise<{ plan: ApiPlan; checkpoint: ApiCheckpoint }> {
  writeFileSync(imagePath, random.bytes(imageBytes));
  const disk = (await client.listInstances('Host::Block')).find((one) => one.name === 'disk.img');
  const plan = await client.createPlan({
    name: 'crash',
    provider_id: await providerNamed('north'),
    resources: [{ id: disk?.id ?? '', type: 'Host::Block', name: 'disk.img' }],
    parameters: {},
  });
  const { id } = await client.createCheckpoint(plan);
  const checkpoint = await client.waitForCheckpoint(plan.provider_id, id);
  expect(checkpoint.status).toBe('available');
  return { plan, checkpoint };
}

/** Kills and starts again some time after both are under way; false when one of them was over before. */
async function killIn(ms: number, isRunning: () => Promise<boolean>): Promise<boolean> {
  await sleep(ms);
  const hit = await isRunning();
  await karri.kill();
  await karri.start();
  return hit;
}

async function until<T>(read: () => Promise<T>, isOver: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (isOver(value)) return value;
    await sleep(30);
  }
}

test(`a verification and a copy that are killed ${kills} times go on by themselves, seed ${seed}`, {
  timeout: timeoutMs,
}, async () => {
  for (let tries = 1; ; tries += 1) {
    const { plan, checkpoint } = await protectNew();
    const image = digestImage(imagePath);
    const verificationId = await beginVerification(checkpoint, plan);
    const copyId = await beginCopy(plan);
    const isRunning = async () =>
      (await getVerification(verificationId)).status === 'in_progress' &&
      (await client.getCheckpoint(south, copyId)).status.includes('copying');
    let hits = 0;
    for (let n = 0; n < kills; n += 1) if (await killIn((workMs * random.fraction()) / tries, isRunning)) hits += 1;
    const verified = await until(
      () => getVerification(verificationId),
      ({ status }) => status !== 'in_progress',
    );
    expect(verified).toMatchObject({ status: 'success', resources: [{ outcome: 'sound', digest: expect.any(String) }] });
    expect(verified.resources[0]?.read_bytes).toBeGreaterThanOrEqual(imageBytes);
    const copied = await until(
      () => client.getCheckpoint(south, copyId),
      ({ status }) => !status.includes('copying'),
    );
    const [log] = await client.listOperationLogs({ checkpoint_id: copyId });
    const end = { status: copied.status, log: log?.status, error: log?.error_info };
    expect(end).toEqual({ status: 'available', log: 'available', error: null });
    expect(await restoreFromSouth(copyId)).toBe(image);
    expect(listSnapshots('south')).toHaveLength(tries);
    if (hits === kills) return;
    expect(tries, 'one of them was over before each kill').toBeLessThan(maxTries);
  }
});

/** Files of snapshots in the bank: each copy has one, however often it was begun. */
function listSnapshots(bank: string): string[] {
  const folder = join(dir, `bank-${bank}`, 'repositories', 'crash', 'snapshots');
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));
}

async function beginVerification({ id }: ApiCheckpoint, plan: ApiPlan): Promise<string> {
  const verification = { provider_id: plan.provider_id, checkpoint_id: id, parameters: {} };
  return (await client.call<{ verification: ApiVerification }>('POST', '/verifications', { verification })).verification.id;
}

async function getVerification(id: string): Promise<ApiVerification> {
  return (await client.call<{ verification: ApiVerification }>('GET', `/verifications/${id}`)).verification;
}

async function beginCopy(plan: ApiPlan): Promise<string> {
  const { copy } = await client.call<{ copy: { checkpoint_id: { checkpoint_copy_id: string }[] } }>(
    'POST',
    `/providers/${plan.provider_id}/checkpoints/action`,
    { copy: { plan_id: plan.id, parameters: { 'Host::Block': { target: 'south' } } } },
  );
  return copy.checkpoint_id[0]?.checkpoint_copy_id ?? '';
}

/** Digest of what a restore of the copy gives. */
async function restoreFromSouth(copyId: string): Promise<string> {
  const { id } = await client.createRestore({
    provider_id: south,
    checkpoint_id: copyId,
    parameters: { 'Host::Block': { restore_name: 'back.img' } },
  });
  expect((await client.waitForRestore(id)).status).toBe('success');
  const digest = digestImage(join(volumesDir, 'back.img'));
  rmSync(join(volumesDir, 'back.img'));
  return digest;
}
