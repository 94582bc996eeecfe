import { randomBytes, randomFillSync } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openFilesystemStore } from '../../plugins/banks/filesystem/filesystem-store.ts';
import { KiB, MiB } from '../../src/base/bytes.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Extent, Repository } from '../../src/repository/contract.ts';
import { encodeIndex, type IndexRecord, maxIndexRecords, type PackEntry } from '../../src/repository/index/format.ts';
import { insideOf } from '../../src/repository/inside.ts';
import { indexKey, packKey } from '../../src/repository/layout.ts';
import { openRepository } from '../../src/repository/repository.ts';
import { randomId, sealObject } from '../../src/repository/seal/crypto.ts';
import { type KeyRing, openKeyRing } from '../../src/repository/seal/keys.ts';
import { digestInput, digestText, encodeLeaf, encodeRoot, slotBytes, slotsPerLeaf } from '../../src/repository/volume/map.ts';
import { identify, storeMap } from '../../src/repository/volume/tasks.ts';

const projectId = 'growth';
/** Nothing of worth is sealed with it. */
const providerKey = Buffer.alloc(32, 7);
export const subject = 'simulated';

/** What a chunk of 256 KiB takes up in a pack; a matter of the bank alone. */
const sealedBytes = 200 * KiB;
const chunksPerPack = 64;
/** Whole packs and whole leaves. */
const objectChunks = maxIndexRecords;
const sampleIds = 100_000;

export interface GrowthBank {
  readonly sizeBytes: number;
  readonly packs: number;
}

/** The folder of one bench: `bank` and its `scratch` (what Karri keeps beside a bank), and what steps hand each other. */
export async function openGrowthRepository(folder: string, bank: string, scratch = `${bank}-scratch`): Promise<Repository> {
  return openRepository({
    store: await openFilesystemStore(join(folder, bank)),
    projectId,
    providerKey,
    create: true,
    log: silentLog,
    threads: 2,
    scratchFolder: join(folder, scratch),
  });
}

/**
 * A repository as protecting one volume of so many chunks would have left it. Index objects, the map and the snapshot are real and sealed; packs of data
 * are empty files of the size that the index says, as nothing here reads them. Keeps some ids beside it, for the look-ups.
 */
export async function writeGrowthBank(folder: string, chunks: number): Promise<GrowthBank> {
  const repository = await openGrowthRepository(folder, 'bank', 'maker-scratch');
  const { core, hold, refresh } = insideOf(repository);
  try {
    return await hold(async () => {
      await refresh(undefined); // while there is nothing: what follows is not to be looked up
      const store = await openFilesystemStore(join(folder, 'bank'));
      const keys = await openKeyRing({ store, projectId, providerKey, create: false, log: silentLog });
      const session = core.openSession({});
      const sample: Buffer[] = [];
      const leaves: Buffer[] = [];
      let packs = 0;
      for (let first = 0; first < chunks; first += objectChunks) {
        const ids = randomFillSync(Buffer.allocUnsafe(Math.min(objectChunks, chunks - first) * 32));
        sample.push(Buffer.from(ids.subarray(0, Math.ceil((sampleIds * ids.length) / (chunks * 32)) * 32)));
        const named = namePacks(ids, keys);
        for (const pack of named) makePackFile(join(folder, 'bank'), pack);
        const id = randomId();
        const sealed = sealObject(keys.writing, projectId, 'index', id, encodeIndex(named, listRecords(ids)));
        await store.put(indexKey(id), sealed);
        packs += named.length;
        for (let at = 0; at < ids.length; at += slotsPerLeaf * 32)
          leaves.push(Buffer.from(await session.run(storeMap, { plain: leafOf(ids.subarray(at, at + slotsPerLeaf * 32)) })));
      }
      const sizeBytes = chunks * slotBytes;
      const digest = await core.run(identify, { plain: digestInput(sizeBytes, leaves), keyId: core.writingKeyId }, {});
      const whole = { kind: 'volume', subject, sizeBytes, files: 1, warnings: [], parent: null, source: null } as const;
      await session.finish({ ...whole, digest: digestText(digest), root: encodeRoot({ leaves }) });
      await session.close();
      writeFileSync(join(folder, 'sample'), Buffer.concat(sample));
      return { sizeBytes, packs };
    });
  } finally {
    await repository.close();
  }
}

function namePacks(ids: Buffer, keys: KeyRing): PackEntry[] {
  const sizeBytes = 8 + chunksPerPack * sealedBytes;
  const count = Math.ceil(ids.length / 32 / chunksPerPack);
  return Array.from({ length: count }, () => ({ id: randomId(), keyId: keys.writing.id, sizeBytes }));
}

function listRecords(ids: Buffer): IndexRecord[] {
  return Array.from({ length: ids.length / 32 }, (_, n) => ({
    id: ids.subarray(n * 32, n * 32 + 32),
    pack: Math.floor(n / chunksPerPack),
    blockOffset: 8 + (n % chunksPerPack) * sealedBytes,
    blockLength: sealedBytes,
    rawLength: slotBytes,
    chunkOffset: 0,
    chunkLength: slotBytes,
  }));
}

function makePackFile(bank: string, { id, sizeBytes }: PackEntry): void {
  const path = join(bank, packKey(id));
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, 'wx');
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
}

function leafOf(ids: Buffer): Buffer {
  const slots = Buffer.alloc(slotsPerLeaf * 32);
  ids.copy(slots);
  return encodeLeaf(slots) ?? slots;
}

/**
 * A volume of which every `every`-th slot has changed, at most `most` of them: evenly spread, the worst there is for a map. Each gets 16 KiB of random bytes, so
 * that the figures are about the repository, not about compression and disks.
 */
export function writeChangedVolume(path: string, sizeBytes: number, every: number, most: number): Extent[] {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, sizeBytes);
  const extents: Extent[] = [];
  for (let offset = 0; offset < sizeBytes && extents.length < most; offset += every * slotBytes) {
    writeSync(fd, randomBytes(16 * KiB), 0, 16 * KiB, offset);
    extents.push({ offset, length: Math.min(128 * KiB, sizeBytes - offset) });
  }
  closeSync(fd);
  return extents;
}

/** Holes, 1 GiB of written zeros in the middle, and 256 MiB of random bytes in pieces of 64 KiB all over it. */
export function writeSparseVolume(path: string, sizeBytes: number): void {
  const pieces = 4096;
  const zeros = Buffer.alloc(MiB);
  const fd = openSync(path, 'w');
  ftruncateSync(fd, sizeBytes);
  for (let n = 0; n < 1024; n++) writeSync(fd, zeros, 0, MiB, sizeBytes / 2 + n * MiB);
  for (let n = 0; n < pieces; n++) writeSync(fd, randomBytes(64 * KiB), 0, 64 * KiB, (sizeBytes / pieces) * n + 12_288);
  closeSync(fd);
}
