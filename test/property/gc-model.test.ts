import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { isFault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Repository } from '../../src/repository/contract.ts';
import { deriveKey, openObject } from '../../src/repository/crypto.ts';
import { decodeIndex } from '../../src/repository/index-format.ts';
import { openKeyedHash } from '../../src/repository/keyed-hash.ts';
import { openKeyRing } from '../../src/repository/keys.ts';
import { openRepository } from '../../src/repository/repository.ts';
import { emptySlots, encodeLeaf, slotBytes } from '../../src/repository/volume-map.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { startInlinePool } from '../kit/inline-pool.ts';
import { changeStore, listKeys, testProjectId, testProviderKey } from '../kit/repositories.ts';
import { createSeeded, seed } from '../kit/seeded.ts';
import { type ProcessStore, Turns } from '../kit/turns.ts';

// Names of packs and objects come out of the history's own chance, so that a history can be repeated.
let chance = createSeeded('property/gc-model');
vi.mock('node:crypto', async (original) => ({
  ...(await original<typeof import('node:crypto')>()),
  randomBytes: (count: number) => chance.bytes(count),
}));

/** Histories; `KARRI_TEST_HISTORIES` asks for more. */
const histories = Number(process.env.KARRI_TEST_HISTORIES ?? 100);

type Step =
  | { readonly do: 'protect'; readonly subject: number; readonly slots: readonly number[] }
  | { readonly do: 'forget' | 'undelete'; readonly which: number }
  | { readonly do: 'collect' | 'restart' };

interface Process {
  readonly steps: readonly (Step & { readonly death: { readonly after: number; readonly takesEffect: boolean } | null })[];
}

interface History {
  readonly chance: number;
  /** What is there before: snapshots, some of them forgotten, and how many collections have run since. */
  readonly before: readonly { readonly slots: readonly number[]; readonly isForgotten: boolean }[];
  readonly generations: number;
  readonly processes: readonly Process[];
  /** Whose turn it is and for how many calls: whoever has none sleeps. */
  readonly turns: readonly { readonly process: number; readonly calls: number }[];
}

const slots = fc.array(fc.nat(3), { minLength: 1, maxLength: 3 });
const protect = fc.record({ do: fc.constant('protect' as const), subject: fc.nat(1), slots });
const death = fc.option(fc.record({ after: fc.integer({ min: 1, max: 25 }), takesEffect: fc.boolean() }), { freq: 4 });
const stepsOf = (step: fc.Arbitrary<Step>, maxLength: number): fc.Arbitrary<Process> =>
  fc.record({
    steps: fc.array(
      fc.tuple(step, death).map(([one, dies]) => ({ ...one, death: dies })),
      { minLength: 1, maxLength },
    ),
  });
const writer = stepsOf(
  fc.oneof(
    { weight: 6, arbitrary: protect },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), which: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('undelete' as const), which: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
  ),
  4,
);
const collector = stepsOf(fc.constant({ do: 'collect' as const }), 6);
// Writers sleep often, collectors get far: that is what is dangerous.
const turn = fc.oneof(
  fc.record({ process: fc.nat(1), calls: fc.integer({ min: 1, max: 15 }) }),
  fc.record({ process: fc.integer({ min: 2, max: 3 }), calls: fc.integer({ min: 1, max: 120 }) }),
);
const history: fc.Arbitrary<History> = fc.record({
  chance: fc.nat(),
  before: fc.array(fc.record({ slots, isForgotten: fc.boolean() }), { maxLength: 3 }),
  generations: fc.nat(4),
  processes: fc.tuple(writer, writer, collector, collector),
  turns: fc.array(turn, { maxLength: 60 }),
});

/** One 256 KiB slot of each kind; the last one of a volume is cut short. */
function contentOf(slots: readonly number[]): Buffer {
  const bytes = Buffer.concat(slots.map((slot) => Buffer.alloc(slotBytes, slot + 1)));
  return bytes.subarray(0, bytes.length - slotBytes + 1000);
}

function open(store: ObjectStore): Promise<Repository> {
  return openRepository(
    {
      store,
      projectId: testProjectId,
      providerKey: testProviderKey,
      create: true,
      log: silentLog,
      threads: 1,
      scratchFolder: '',
    },
    startInlinePool,
  );
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** What the world was told, and whether it is true. */
class World {
  readonly store = createMemoryStore();
  readonly published = new Map<string, Buffer>();
  readonly forgotten = new Map<string, Buffer>();
  /** Opened once and never told anything again: a reader with an old index. */
  oldReader: Repository | undefined;
  #deletions = 0;
  #seenDeletions = 0;

  /** Counts what takes something away: only then can a law be broken. */
  readonly counted = changeStore(this.store, {
    delete: async (keys) => {
      if (keys.some((key) => /^(packs|indexes)\//.test(key))) this.#deletions++;
      await this.store.delete(keys);
    },
  });

  async lookAfterDeletions(): Promise<void> {
    if (this.#deletions === this.#seenDeletions) return;
    this.#seenDeletions = this.#deletions;
    await this.look();
  }

  async look(): Promise<void> {
    const reader = await open(this.store);
    for (const one of [reader, this.oldReader]) {
      for (const [id, bytes] of this.published) {
        const read = await one?.readVolume(id, 0, bytes.length, {});
        expect(read?.equals(bytes) ?? true, `snapshot ${id} reads as it was`).toBe(true);
      }
    }
    await reader.close();
    this.oldReader ??= await open(this.store);
  }
}

class Runner {
  readonly #world: World;
  readonly #turns: Turns;
  readonly #number: number;
  #view: ProcessStore;
  #repository: Repository | undefined;

  constructor(world: World, turns: Turns, number: number) {
    this.#world = world;
    this.#turns = turns;
    this.#number = number;
    this.#view = turns.createView(number);
  }

  async run({ steps }: Process): Promise<void> {
    for (const step of steps) {
      if (step.death) this.#view.dieAfter(step.death.after, step.death.takesEffect);
      try {
        await this.#do(step);
      } catch (error) {
        if (!this.#view.isDead() && !isAllowed(step, error)) throw error;
      }
      if (this.#view.isDead() || step.do === 'restart') await this.#restart();
      else this.#view.dieAfter(Number.POSITIVE_INFINITY, false);
    }
    await this.#repository?.close();
  }

  async #restart(): Promise<void> {
    await this.#repository?.close();
    this.#repository = undefined;
    this.#view = this.#turns.createView(this.#number);
  }

  async #do(step: Step): Promise<void> {
    this.#repository ??= await open(this.#view);
    const repository = this.#repository;
    const { published, forgotten } = this.#world;
    if (step.do === 'protect') {
      const bytes = contentOf(step.slots);
      const subject = `s${step.subject}`;
      const { id } = await again(() => repository.writeVolume({ stream: once(bytes), sizeBytes: bytes.length }, { subject }));
      published.set(id, bytes);
    } else if (step.do === 'forget') {
      const [id, bytes] = [...published][step.which % Math.max(1, published.size)] ?? [];
      if (id === undefined || bytes === undefined) return;
      published.delete(id); // promised no more, whatever becomes of it
      await repository.forget(id);
      forgotten.set(id, bytes);
    } else if (step.do === 'undelete') {
      const [id, bytes] = [...forgotten][step.which % Math.max(1, forgotten.size)] ?? [];
      if (id === undefined || bytes === undefined) return;
      forgotten.delete(id);
      await repository.undelete(id);
      published.set(id, bytes);
    } else if (step.do === 'collect') {
      await repository.runGc(await repository.planGc({}), {});
    }
  }
}

/** A step that is told to be run again is. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isFault(error) || error.retry !== 'now' || tries === 5) throw error;
    }
  }
}

/** Outcomes that are no breach: it was too late to have a snapshot back. */
function isAllowed(step: Step, error: unknown): boolean {
  return step.do === 'undelete' && (isFault(error, 'repository.snapshot_gone') || isFault(error, 'repository.snapshot_absent'));
}

/** Chunk ids of all that a live snapshot stands on. */
async function reachableIds(store: ObjectStore, contents: Iterable<Buffer>): Promise<Set<string>> {
  const keys = await openKeyRing({
    store,
    projectId: testProjectId,
    providerKey: testProviderKey,
    create: false,
    log: silentLog,
  });
  const hash = await openKeyedHash(deriveKey(keys.writing, 'chunk id'));
  const ids = new Set<string>();
  for (const bytes of contents) {
    const slots = emptySlots();
    for (let at = 0; at < bytes.length; at += slotBytes) {
      const id = hash.digest(bytes.subarray(at, at + slotBytes));
      id.copy(slots, (at / slotBytes) * 32);
      ids.add(id.toString('hex'));
    }
    ids.add(hash.digest(encodeLeaf(slots) ?? Buffer.alloc(0)).toString('hex'));
  }
  return ids;
}

/** Chunk id → packs, as the index objects say. */
async function namedPlaces(store: ObjectStore): Promise<Map<string, Set<string>>> {
  const keys = await openKeyRing({
    store,
    projectId: testProjectId,
    providerKey: testProviderKey,
    create: false,
    log: silentLog,
  });
  const places = new Map<string, Set<string>>();
  for (const key of await listKeys(store, 'indexes/')) {
    const opened = openObject(keys.all, testProjectId, 'index', key.slice('indexes/'.length), await store.get(key));
    const index = opened && decodeIndex(opened.plain);
    for (const record of index?.records() ?? []) {
      const id = Buffer.from(record.id).toString('hex');
      places.set(id, (places.get(id) ?? new Set()).add(index?.packs[record.pack]?.id ?? ''));
    }
  }
  return places;
}

async function play({ before, generations, processes, turns, chance: own }: History): Promise<void> {
  chance = createSeeded(`property/gc-model ${own}`);
  const world = new World();
  await prepare(world, before, generations);
  const table = new Turns(world.counted);
  let at = 0;
  let used = 0;
  const next = (waiting: readonly number[]): number => {
    for (; at < turns.length; at++, used = 0) {
      const turn = turns[at];
      if (turn === undefined || used >= turn.calls || !waiting.includes(turn.process)) continue;
      used++;
      return turn.process;
    }
    used++;
    return waiting[used % waiting.length] ?? 0;
  };
  const runs = processes.map((process, number) => () => new Runner(world, table, number).run(process));
  await table.run(runs, next, () => world.lookAfterDeletions());
  await world.look();

  // Everybody has gone home: what nobody needs is gone after some quiet generations, and nothing else. A process keeps two places of a chunk in mind, so
  // that of three copies one goes after the other.
  for (let n = 0; n < 12; n++) {
    const janitor = await open(world.store);
    await janitor.runGc(await janitor.planGc({}), {});
    await janitor.close();
  }
  const janitor = await open(world.store);
  const live = await janitor.listSnapshots();
  const contents: Buffer[] = [];
  for (const id of live) {
    const known = world.published.get(id);
    const bytes = known ?? (await janitor.readVolume(id, 0, (await sizeOf(janitor, id)) ?? 0, {}));
    contents.push(bytes);
  }
  expect(live).toEqual(expect.arrayContaining([...world.published.keys()]));
  expect((await janitor.check(100, {})).damages).toEqual([]);
  await janitor.close();
  await world.look();
  const reachable = await reachableIds(world.store, contents);
  const places = await namedPlaces(world.store);
  const packs = new Set((await listKeys(world.store, 'packs/')).map((key) => key.slice(-32)));
  const needed = new Set([...reachable].map((id) => [...(places.get(id) ?? [])].sort().at(-1) ?? 'none'));
  expect([...packs].sort()).toEqual([...needed].sort());
  expect(new Set([...places.values()].flatMap((some) => [...some]))).toEqual(packs);
  expect(await listKeys(world.store, 'forgotten/')).toEqual([]);
  expect((await listKeys(world.store, 'gc/')).length).toBeLessThanOrEqual(3);
  await world.oldReader?.close();
}

async function prepare(world: World, before: History['before'], generations: number): Promise<void> {
  const repository = await open(world.store);
  for (const [at, { slots, isForgotten }] of before.entries()) {
    const bytes = contentOf(slots);
    const { id } = await repository.writeVolume({ stream: once(bytes), sizeBytes: bytes.length }, { subject: `s${at % 2}` });
    (isForgotten ? world.forgotten : world.published).set(id, bytes);
    if (isForgotten) await repository.forget(id);
  }
  for (let n = 0; n < generations; n++) await repository.runGc(await repository.planGc({}), {});
  await repository.close();
}

async function sizeOf(repository: Repository, id: string): Promise<number | undefined> {
  for (let slots = 0; slots < 4; slots++) {
    try {
      await repository.readVolume(id, 0, slots * slotBytes + 1000, {});
      if (slots === 3) return undefined;
      await repository.readVolume(id, 0, slots * slotBytes + 1001, {});
    } catch (error) {
      if (isFault(error, 'repository.bad_range')) return slots * slotBytes + 1000;
      throw error;
    }
  }
  return undefined;
}

test('whatever writers, collectors, deaths and sleeps do to each other: what was promised can be read, and garbage goes', async () => {
  await fc.assert(fc.asyncProperty(history, play), { numRuns: histories, seed, endOnFailure: false });
}, 600_000);
