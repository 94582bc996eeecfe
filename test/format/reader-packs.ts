import { check, createCursor, u32 } from './reader-bytes.ts';
import { openObject, type RootKey, unpack, unseal, type Vault } from './reader-objects.ts';

const maxBlockBytes = 4 << 20;
const maxPackBytes = 23_068_791;
const maxChunksInBlock = 4096;
const directoryNumber = 0xffff_ffff;

export type ReadChunk = (root: RootKey, id: Buffer) => Buffer;

/** Where a chunk is. An index and the directory of the pack must say the same. */
interface Place {
  readonly rootId: string;
  readonly chunkId: string;
  readonly packId: string;
  readonly packSize: number;
  readonly blockOffset: number;
  readonly blockLength: number;
  readonly rawLength: number;
  readonly chunkOffset: number;
  readonly chunkLength: number;
}

interface Pack {
  readonly id: string;
  readonly root: RootKey;
  readonly bytes: Buffer;
  readonly places: readonly Place[];
  /** What the nonce of each block must be, by its offset. */
  readonly nonces: ReadonlyMap<number, Buffer>;
}

/** Reads chunks by root key and chunk id, and checks all that stands around them. `from` says where their places are learned. */
export function createChunkReader(vault: Vault, from: 'indexes' | 'packs'): ReadChunk {
  /** By root key and chunk id. */
  const places = new Map<string, Place>();
  let lastPack: (Pack & { readonly texts: ReadonlySet<string> }) | undefined;
  let lastBlock: { readonly name: string; readonly raw: Buffer } | undefined;

  const openPack = (id: string): NonNullable<typeof lastPack> => {
    if (lastPack?.id === id) return lastPack;
    const pack = readPack(vault, id);
    lastPack = { ...pack, texts: new Set(pack.places.map((place) => JSON.stringify(place))) };
    return lastPack;
  };
  const readBlock = (pack: Pack, { blockOffset, blockLength, rawLength }: Place): Buffer => {
    const name = `block at ${blockOffset} of pack ${pack.id}`;
    if (lastBlock?.name !== name) {
      const { plain, codec, nonce } = openBlock(vault, pack, blockOffset, blockLength);
      check(pack.nonces.get(blockOffset)?.equals(nonce) === true, `the ${name} has another nonce`);
      lastBlock = { name, raw: unpack(codec, plain, rawLength, name) };
    }
    return lastBlock.raw;
  };
  const marked = new Set(vault.listObjects('bad').map((file) => file.slice(-32)));
  for (const file of vault.listObjects(from)) {
    const id = file.slice(-32);
    if (from === 'packs' && marked.has(id)) continue;
    for (const place of from === 'indexes' ? readIndex(vault, id) : openPack(id).places) {
      const name = `${place.rootId}/${place.chunkId}`;
      if (!places.has(name) || !marked.has(place.packId)) places.set(name, place);
    }
  }

  return (root, id) => {
    const chunkId = id.toString('hex');
    const place = places.get(`${root.id}/${chunkId}`);
    check(place !== undefined, `chunk ${chunkId} is not named by any of the ${from}`);
    const pack = openPack(place.packId);
    check(pack.texts.has(JSON.stringify(place)), `pack ${pack.id} does not hold chunk ${chunkId} where it should`);
    const bytes = readBlock(pack, place).subarray(place.chunkOffset, place.chunkOffset + place.chunkLength);
    check(root.hash(bytes).equals(id), `chunk ${chunkId} of pack ${pack.id} has other bytes`);
    return bytes;
  };
}

function* readIndex(vault: Vault, id: string): Generator<Place> {
  const what = `index ${id}`;
  const index = createCursor(openObject(vault, `indexes/${id}`, 'index', id).raw, what);
  const packCount = index.u32();
  const recordCount = index.u32();
  const packs: Pick<Place, 'packId' | 'rootId' | 'packSize'>[] = [];
  for (let i = 0; i < packCount; i++) packs.push({ packId: index.hex(16), rootId: index.hex(16), packSize: index.u32() });
  let before = '';
  for (let i = 0; i < recordCount; i++) {
    const chunkId = index.hex(32);
    check(before <= chunkId, `${what} is not in order`);
    before = chunkId;
    const pack = packs[index.u32()];
    check(pack !== undefined, `${what} names a pack that is not in its list`);
    const block = { blockOffset: index.u32(), blockLength: index.u32(), rawLength: index.u32() };
    yield createPlace({ ...pack, ...block, chunkId, chunkOffset: index.u32(), chunkLength: index.u32() });
  }
  check(index.isAtEnd(), `${what} has bytes behind its end`);
}

function readPack(vault: Vault, id: string): Pack {
  const what = `pack ${id}`;
  const bytes = vault.readObject(`packs/${id.slice(0, 2)}/${id}`);
  check(bytes.length >= 40 && bytes.length <= maxPackBytes, `${what} has ${bytes.length} bytes`);
  check(bytes.toString('latin1', 0, 8) === 'KARRIPK1', `${what} is of another kind`);
  const footer = createCursor(bytes.subarray(-32), what);
  const root = vault.getRoot(footer.take(16), what);
  const offset = footer.u32();
  const length = footer.u32();
  check(footer.u32() === 1 && footer.take(4).toString('latin1') === 'KPCK', `${what} is of another version`);
  check(offset >= 8 && offset + length + 32 === bytes.length, `the directory of ${what} does not end at the footer`);
  const { plain, codec, nonce } = openBlock(vault, { id, root, bytes }, offset, length);
  check(codec === 0, `the directory of ${what} has codec ${codec}`);
  check(nonce.equals(nonceOf(directoryNumber, root.hash(plain))), `the directory of ${what} has another nonce`);
  return { id, root, bytes, ...parseDirectory(plain, { packId: id, rootId: root.id, packSize: bytes.length }, offset) };
}

/** `end` is where the blocks end in the pack. */
function parseDirectory(
  plain: Buffer,
  pack: Pick<Place, 'packId' | 'rootId' | 'packSize'>,
  end: number,
): Pick<Pack, 'places' | 'nonces'> {
  const what = `the directory of pack ${pack.packId}`;
  const directory = createCursor(plain, what);
  const blockCount = directory.u32();
  const chunkCount = directory.u32();
  const blocks: (Pick<Place, 'blockOffset' | 'blockLength' | 'rawLength'> & { readonly count: number })[] = [];
  let next = 8;
  for (let i = 0; i < blockCount; i++) {
    const [blockOffset, blockLength, rawLength, count] = [directory.u32(), directory.u32(), directory.u32(), directory.u32()];
    check(blockOffset === next && rawLength <= maxBlockBytes, `${what} has a block where none can be`);
    check(count >= 1 && count <= maxChunksInBlock, `${what} has a block of ${count} chunks`);
    blocks.push({ blockOffset, blockLength, rawLength, count });
    next += blockLength;
  }
  const places: Place[] = [];
  const nonces = new Map<number, Buffer>();
  for (const [number, { count, ...block }] of blocks.entries())
    for (let i = 0; i < count; i++) {
      const place = createPlace({
        ...pack,
        ...block,
        chunkId: directory.hex(32),
        chunkOffset: directory.u32(),
        chunkLength: directory.u32(),
      });
      check(place.chunkOffset + place.chunkLength <= block.rawLength, `${what} has a chunk that is longer than its block`);
      if (i === 0) nonces.set(block.blockOffset, nonceOf(number, Buffer.from(place.chunkId, 'hex')));
      places.push(place);
    }
  check(next === end && places.length === chunkCount && directory.isAtEnd(), `${what} does not add up`);
  return { places, nonces };
}

/** Gives the members their one order, by which two places are compared. */
function createPlace({ rootId, chunkId, packId, packSize, blockOffset, blockLength, rawLength, ...chunk }: Place): Place {
  const { chunkOffset, chunkLength } = chunk;
  return { rootId, chunkId, packId, packSize, blockOffset, blockLength, rawLength, chunkOffset, chunkLength };
}

function nonceOf(number: number, id: Buffer): Buffer {
  return Buffer.concat([u32(number), id.subarray(0, 8)]);
}

function openBlock(
  { project }: Vault,
  { id, root, bytes }: Pick<Pack, 'id' | 'root' | 'bytes'>,
  offset: number,
  length: number,
): { readonly plain: Buffer; readonly codec: number; readonly nonce: Buffer } {
  const what = `the block at ${offset} of pack ${id}`;
  const block = createCursor(bytes.subarray(offset, offset + length), what);
  const packId = Buffer.from(id, 'hex');
  const codec = block.u8();
  const sealed = block.take(length - 1);
  const associated = Buffer.concat([u32(offset), Buffer.from([codec]), packId, Buffer.from(project)]);
  return { plain: unseal(root.derive(packId, 'karri pack'), sealed, associated, what), codec, nonce: sealed.subarray(0, 12) };
}
