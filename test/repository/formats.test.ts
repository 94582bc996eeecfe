import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFault } from '../../src/base/faults.ts';
import { provePack } from '../../src/repository/check/pack-proof.ts';
import type { RepositoryCore } from '../../src/repository/core.ts';
import { decodeIndex, encodeIndex } from '../../src/repository/index/format.ts';
import { decodeDirectory, maxPackBytes, PackBuilder, parseFooter } from '../../src/repository/packs/format.ts';
import { type OpenKeys, openBatch } from '../../src/repository/packs/open-batch.ts';
import { openAesGcm } from '../../src/repository/seal/aes-gcm.ts';
import { compressBlock, decompressBlock } from '../../src/repository/seal/block-compression.ts';
import { openSealed, sealInto } from '../../src/repository/seal/block-sealing.ts';
import { codecRaw, codecZstd, compress, decompress, zstdParameters } from '../../src/repository/seal/compression.ts';
import { openObject, type RootKey, seal, sealObject } from '../../src/repository/seal/crypto.ts';
import { openKeyedHash } from '../../src/repository/seal/keyed-hash.ts';
import { openZstd } from '../../src/repository/seal/zstd.ts';
import { decodeLeaf, emptySlots, encodeLeaf } from '../../src/repository/volume/map.ts';
import type { WorkerContext } from '../../src/repository/workers/task.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { withRepository } from '../kit/repositories.ts';
import { seed } from '../kit/seeded.ts';

type OpenArguments = Parameters<WorkerContext['openBatch']>;

const root: RootKey = { id: 'ab'.repeat(16), secret: randomBytes(32) };
const roots = new Map([[root.id, root]]);
const projectId = 'project';
const hash = await openKeyedHash(createHash('sha256').update('key').digest());

test('the native and the WebAssembly hash give the same ids', async () => {
  const key = randomBytes(32);
  const [native, wasm] = [await openKeyedHash(key, 'native'), await openKeyedHash(key, 'wasm')];
  expect([native.made, wasm.made]).toEqual(['native', 'wasm']);
  for (const length of [0, 1, 64, 1024, 1025, 70_000, 262_144]) {
    const bytes = randomBytes(length);
    expect(wasm.digest(bytes)).toEqual(native.digest(bytes));
  }
});

describe('compression', () => {
  test('what does not gain is kept as it is; either comes back', () => {
    const noise = randomBytes(10_000);
    const text = Buffer.from('abc'.repeat(5000));
    expect(compress(noise, 'default')).toEqual({ codec: codecRaw, payload: noise });
    const compressed = compress(text, 'default');
    expect(compressed.codec).toBe(codecZstd);
    expect(decompress(codecZstd, compressed.payload, text.length)).toEqual(text);
  });

  test('a frame that is longer, shorter or none gives nothing', () => {
    const { payload } = compress(Buffer.alloc(1_000_000), 'fast');
    for (const wrong of [0, 1, 999_999, 1_000_001]) expect(decompress(codecZstd, payload, wrong)).toBeUndefined();
    expect(decompress(codecZstd, randomBytes(50), 100)).toBeUndefined();
    expect(decompress(7, payload, 1_000_000)).toBeUndefined();
  });
});

describe('sealing of blocks', () => {
  const key = randomBytes(32);
  const nonce = randomBytes(12);
  const associated = randomBytes(53);

  test('what the two ways seal, either opens, at every size and wherever in memory', () => {
    for (const bytes of [0, 1, 16, 1000, 1024 * 1024, 4 * 1024 * 1024 + 3]) {
      const plain = randomBytes(bytes);
      const byNode = seal(key, nonce, associated, plain);
      const target = Buffer.alloc(bytes + 21);
      sealInto(target.subarray(5), key, nonce, associated, plain);
      const sealed = Buffer.concat([byNode.sealed, byNode.tag]);
      expect(target.subarray(5)).toSatisfy(sealed.equals.bind(sealed));
      expect(openSealed(key, nonce, associated, target.subarray(5))).toSatisfy(plain.equals.bind(plain));
    }
  });

  test('no byte may be another, of what is sealed, the nonce, the key or what is associated', () => {
    const given = { key, nonce, associated, sealed: Buffer.alloc(46) };
    sealInto(given.sealed, key, nonce, associated, randomBytes(30));
    for (const part of ['key', 'nonce', 'associated', 'sealed'] as const) {
      for (let at = 0; at < given[part].length; at++) {
        const changed = Buffer.from(given[part]);
        changed[at] = (changed[at] ?? 0) ^ 1;
        const other = { ...given, [part]: changed };
        expect(openSealed(other.key, other.nonce, other.associated, other.sealed), `${part}, byte ${at}`).toBeUndefined();
      }
    }
  });

  test('the C library of this platform is used where it can be', () => {
    expect(openAesGcm() === undefined).toBe(process.platform !== 'linux');
  });
});

describe('compression of blocks', () => {
  const text = (bytes: number): Buffer => Buffer.from(randomBytes(bytes / 2).toString('hex'));

  test('what the two ways write, either reads, at both levels and at every size', () => {
    for (const level of ['fast', 'default'] as const) {
      for (const bytes of [2, 1000, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024]) {
        const plain = text(bytes);
        const byNode = compress(plain, level);
        const { codec, payload } = compressBlock(plain, level);
        expect(codec).toBe(byNode.codec);
        expect(decompress(codec, payload, bytes)).toSatisfy(plain.equals.bind(plain));
        expect(decompressBlock(byNode.codec, byNode.payload, bytes)).toSatisfy(plain.equals.bind(plain));
      }
    }
  });

  test('what does not gain is kept as it is; a frame that is longer, shorter or none gives nothing', () => {
    const noise = randomBytes(10_000);
    expect(compressBlock(noise, 'default')).toEqual({ codec: codecRaw, payload: noise });
    const { payload } = compressBlock(Buffer.alloc(1_000_000), 'fast');
    for (const wrong of [0, 1, 999_999, 1_000_001]) expect(decompressBlock(codecZstd, payload, wrong)).toBeUndefined();
    expect(decompressBlock(codecZstd, payload.subarray(0, -1), 1_000_000)).toBeUndefined();
    expect(decompressBlock(codecZstd, randomBytes(50), 100)).toBeUndefined();
    expect(decompressBlock(7, payload, 1_000_000)).toBeUndefined();
  });

  test('the C library of this platform is used where it can be', () => {
    const native = openZstd();
    expect(native === undefined).toBe(process.platform !== 'linux');
    expect(native?.compress(text(1000), zstdParameters.default, Buffer.alloc(100))).toBeUndefined();
  });
});

describe('sealed objects', () => {
  const plain = Buffer.from('{"a":1}'.repeat(40));
  const sealed = sealObject(root, projectId, 'index', 'name', plain);

  test('open for the same project, kind, name and key only', () => {
    expect(openObject(roots, projectId, 'index', 'name', sealed)?.plain).toEqual(plain);
    expect(openObject(roots, 'other', 'index', 'name', sealed)).toBeUndefined();
    expect(openObject(roots, projectId, 'snapshot', 'name', sealed)).toBeUndefined();
    expect(openObject(roots, projectId, 'index', 'nam', sealed)).toBeUndefined();
    expect(openObject(new Map(), projectId, 'index', 'name', sealed)).toBeUndefined();
    expect(
      openObject(new Map([[root.id, { ...root, secret: randomBytes(32) }]]), projectId, 'index', 'name', sealed),
    ).toBeUndefined();
  });

  test('no byte may be another', () => {
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(openObject(roots, projectId, 'index', 'name', changed), `byte ${at}`).toBeUndefined();
    }
  });

  test('documents of the repository', async () => {
    await withRepository(createMemoryStore(), async (repository) => {
      const document = repository.sealDocument('checkpoint', 'c1', plain);
      expect(document.includes('"a"')).toBe(false);
      expect(repository.openDocument('checkpoint', 'c1', document)).toEqual(plain);
      for (const [kind, name, bytes] of [
        ['plan', 'c1', document],
        ['checkpoint', 'c2', document],
        ['checkpoint', 'c1', document.subarray(1)],
      ] as const) {
        expect(() => repository.openDocument(kind, name, bytes)).toThrow(/damaged, or belongs to another/);
      }
    });
  });
});

describe('packs', () => {
  const chunks = ['one', 'two', 'three'].map((text) => Buffer.from(text.repeat(100)));
  const pack = (() => {
    const builder = new PackBuilder(root, projectId, hash, new ArrayBuffer(maxPackBytes));
    for (const chunk of chunks)
      builder.add(compress(chunk, 'fast'), chunk.length, [{ id: hash.digest(chunk), offset: 0, length: chunk.length }]);
    const joined = Buffer.concat(chunks);
    const inBlock = chunks.map((chunk, at) => {
      const offset = chunks.slice(0, at).reduce((sum, { length }) => sum + length, 0);
      return { id: hash.digest(chunk), offset, length: chunk.length };
    });
    builder.add({ codec: codecRaw, payload: joined }, joined.length, inBlock);
    const { id, buffer, sizeBytes } = builder.finish();
    return { id, bytes: Buffer.from(buffer, 0, sizeBytes) };
  })();
  const prove = (bytes: Buffer, packId = pack.id, project = projectId): ReturnType<typeof provePack> => {
    const keys: OpenKeys = { roots, hashes: new Map([[root.id, hash]]), projectId: project };
    const context = {
      openBatch: (...args: OpenArguments) => openBatch(args[0], keys, args[1], args[2]),
      throwIfAborted: () => undefined,
    } as WorkerContext;
    const core: Pick<RepositoryCore, 'run'> = { run: async (task, input) => task.run(input, context) };
    const store = { get: async () => Buffer.from(bytes) };
    return provePack({ core, store, projectId: project, keys: { writing: root, all: roots } }, packId, undefined, undefined);
  };

  test('open by themselves, for their own project and name only', async () => {
    expect(await prove(pack.bytes)).toBeUndefined();
    expect(await prove(pack.bytes, 'cd'.repeat(16))).toMatchObject({ what: 'its directory does not open' });
    expect(await prove(pack.bytes, pack.id, 'other')).toMatchObject({ what: 'its directory does not open' });
  });

  test('no byte may be another, and none may be missing', async () => {
    for (let at = 0; at < pack.bytes.length; at++) {
      const changed = Buffer.from(pack.bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x80;
      expect(await prove(changed), `byte ${at}`).toMatchObject({ what: expect.any(String) });
    }
    for (let length = 0; length < pack.bytes.length; length += 7)
      expect(await prove(pack.bytes.subarray(0, length)), `${length} bytes`).toMatchObject({ what: expect.any(String) });
  });
});

test('a block that holds another chunk than its index says is told, or left to whoever compares afterwards', () => {
  const builder = new PackBuilder(root, projectId, hash, new ArrayBuffer(maxPackBytes));
  const [said, there] = [Buffer.from('said'), Buffer.from('there')];
  const place = builder.add(compress(there, 'fast'), there.length, [{ id: hash.digest(there), offset: 0, length: there.length }]);
  const { id, buffer } = builder.finish();
  const keys: OpenKeys = { roots, hashes: new Map([[root.id, hash]]), projectId };
  const open = (identified: 'at once' | 'afterwards'): { shown: string[]; bad: (readonly number[])[] } => {
    const shown: string[] = [];
    const bad: (readonly number[])[] = [];
    const batch = {
      packId: id,
      keyId: root.id,
      bytes: new Uint8Array(buffer.slice(place.offset, place.offset + place.length)),
      blocks: Uint32Array.from([0, place.offset, place.length, place.rawLength, 0, 1]),
      chunks: Uint32Array.from([0, there.length, 0, 1]),
      ids: new Uint8Array(hash.digest(said)),
      wants: Uint32Array.from([7]),
    };
    openBatch(
      batch,
      keys,
      (plain) => shown.push(Buffer.from(plain).toString()),
      ({ wants }) => bad.push(wants),
      identified,
    );
    return { shown, bad };
  };
  expect(open('at once')).toEqual({ shown: [], bad: [[7]] });
  expect(open('afterwards')).toEqual({ shown: ['there'], bad: [] });
});

test('an index comes back sorted', () => {
  const packs = [{ id: '1f'.repeat(16), keyId: root.id, sizeBytes: 5000 }];
  const records = [3, 1, 2].map((n) => ({
    id: Buffer.alloc(32, n),
    pack: 0,
    blockOffset: 8 + n,
    blockLength: 100,
    rawLength: 400,
    chunkOffset: n,
    chunkLength: 9,
  }));
  const index = decodeIndex(encodeIndex(packs, records));
  expect(index?.packs).toEqual(packs);
  expect([...(index?.records() ?? [])].map(({ chunkOffset }) => chunkOffset)).toEqual([1, 2, 3]);
  const beyond = encodeIndex(packs, [
    {
      ...records[0],
      id: Buffer.alloc(32),
      pack: 1,
      blockOffset: 8,
      blockLength: 100,
      rawLength: 4,
      chunkOffset: 0,
      chunkLength: 4,
    },
  ]);
  expect(decodeIndex(beyond)).toBeUndefined();
});

test('a leaf comes back, and one with too few ids or too many slots does not', () => {
  const slots = emptySlots();
  for (const slot of [0, 9, 1023]) slots.fill((slot % 200) + 1, slot * 32, slot * 32 + 32);
  const leaf = encodeLeaf(slots) ?? Buffer.alloc(0);
  expect(leaf).toHaveLength(128 + 3 * 32);
  expect(decodeLeaf(leaf, 1024, 's')).toEqual(slots);
  expect(() => decodeLeaf(leaf, 1023, 's')).toThrow(/contradicts itself/);
  expect(() => decodeLeaf(leaf.subarray(0, -1), 1024, 's')).toThrow(/contradicts itself/);
  expect(encodeLeaf(emptySlots())).toBeUndefined();
});

test('garbage never crashes a parser, nor makes it allocate what it claims', () => {
  const numbers = fc
    .array(fc.oneof(fc.nat(100), fc.constantFrom(0xffffffff, 0x7fffffff, 0x10000)), { maxLength: 40 })
    .map((list) => {
      const bytes = Buffer.alloc(list.length * 4);
      for (const [at, number] of list.entries()) bytes.writeUInt32LE(number, at * 4);
      return bytes;
    });
  const garbage = fc.oneof(
    numbers,
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(garbage, (bytes) => {
      decodeIndex(bytes);
      decodeDirectory(bytes, 1000);
      parseFooter(bytes.subarray(-32), bytes.length);
      openObject(roots, projectId, 'index', 'n', bytes);
      expect(decompress(codecZstd, bytes, 100)).toBeUndefined();
      try {
        decodeLeaf(bytes, 1024, 's');
      } catch (error) {
        if (!isFault(error)) throw error;
      }
    }),
    { numRuns: 2000, seed },
  );
});
