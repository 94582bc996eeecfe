import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import { createSeeded, type Seeded } from '../../kit/seeded.ts';
import { enoughRoom, measureUse, obstacles } from '../full-disks.ts';
import { upTo } from '../scene.ts';
import { type Command, isInstalled, type Tool } from './tools.ts';
import { Workplace } from './workplace.ts';

/** What one tool came to in one experiment: how often each thing was so, of how many. */
export interface PeerRow {
  readonly experiment: string;
  readonly tool: Tool['name'];
  readonly what: string;
  readonly counts: Record<string, number>;
}

type Count = (what: string, outcome: string) => void;

type PeerExperiment = (workplace: Workplace, count: Count, chance: Seeded, runs: number) => Promise<void>;

/** A kill that nobody can catch, at a moment by chance; then the same again as if nothing had been. */
const kills: PeerExperiment = async (workplace, count, chance, runs) => {
  const { promised } = workplace;
  const [oldest = '', ...others] = promised.keys();
  for (const name of ['backup', 'collect', 'check'] as const) {
    const commandsOf = ({ tool, source }: Workplace): readonly Command[] =>
      ({ backup: [tool.backup(source, 'killed')], collect: tool.collect(oldest), check: [tool.check] })[name];
    const rehearsal = workplace.clone();
    const began = systemClock.monotonic();
    await runAll(rehearsal, commandsOf(rehearsal));
    const lastsMs = systemClock.monotonic() - began;
    rehearsal.remove();
    for (let n = 0; n < runs; n++) {
      const place = workplace.clone();
      if (await isKilled(place, commandsOf(place), chance.fraction() * lastsMs)) {
        count(`killed ${name}: next backup`, await place.backUpAgain('after'));
        const [last = ''] = others.slice(-1);
        count(`killed ${name}: earlier snapshot`, await place.restore(last, promised.get(last) ?? Buffer.alloc(0)));
        count(`killed ${name}: check`, (await place.run(place.tool.check)).code === 0 ? 'clean' : 'complains');
        const isCollected = await runAll(place, place.tool.collect(others[0] ?? ''));
        count(`killed ${name}: next collection`, isCollected ? 'runs' : 'refuses');
      } else count(`killed ${name}: kills`, 'came too late');
      place.remove();
    }
  }
};

/** Runs the commands until the time is up; false when they ended before. */
async function isKilled(place: Workplace, commands: readonly Command[], afterMs: number): Promise<boolean> {
  const began = systemClock.monotonic();
  for (const command of commands) {
    const leftMs = Math.max(1, Math.round(afterMs - (systemClock.monotonic() - began)));
    if ((await place.run(command, leftMs)).code === undefined) return true;
  }
  return false;
}

async function runAll(place: Workplace, commands: readonly Command[]): Promise<boolean> {
  for (const command of commands) if ((await place.run(command)).code !== 0) return false;
  return true;
}

const mutations: Readonly<Record<string, (bytes: Buffer, chance: Seeded) => Buffer | undefined>> = {
  'bit flip': (bytes, chance) => {
    const at = upTo(chance, bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << upTo(chance, 8));
    return bytes;
  },
  truncate: (bytes, chance) => bytes.subarray(0, upTo(chance, bytes.length)),
  zero: (bytes) => Buffer.alloc(bytes.length),
  empty: () => Buffer.alloc(0),
  delete: () => undefined,
};

/** Each kind of file × 8 ways of damage. */
const damages: PeerExperiment = async (workplace, count, chance) => {
  const foreign = await Workplace.make(workplace.tool.name, 1 + upTo(chance, 1_000_000));
  for (const kind of Object.keys(workplace.tool.files())) {
    for (const mutation of [...Object.keys(mutations), 'swap', 'roll back', 'replay']) {
      const place = workplace.clone();
      const file = damageOne(place, kind, mutation, { foreign, chance });
      if (file !== undefined) await judgeDamage(place, kind, file, count);
      place.remove();
    }
  }
  foreign.remove();
};

interface Others {
  readonly foreign: Workplace;
  readonly chance: Seeded;
}

/** The file that was damaged; undefined where there is nothing of that sort to do. */
function damageOne(place: Workplace, kind: string, mutation: string, { foreign, chance }: Others): string | undefined {
  const files = place.tool.files()[kind] ?? [];
  const file = files[upTo(chance, files.length)] ?? '';
  const path = join(place.tool.repository, file);
  const edit = mutations[mutation];
  if (edit) {
    replace(path, edit(readFileSync(path), chance));
    return file;
  }
  if (mutation === 'swap') {
    const other = files.find((one) => one !== file);
    if (other === undefined) return undefined;
    const otherPath = join(place.tool.repository, other);
    renameSync(path, `${path}.swap`);
    renameSync(otherPath, path);
    renameSync(`${path}.swap`, otherPath);
    return file;
  }
  if (mutation === 'roll back') {
    // The oldest of its kind in the place of this one.
    if (files.length < 2) return undefined;
    replace(path, readFileSync(join(place.tool.repository, files[0] === file ? (files[1] ?? '') : (files[0] ?? ''))));
    return file;
  }
  const theirs = (foreign.tool.files()[kind] ?? [])[0];
  if (theirs === undefined) return undefined;
  replace(path, readFileSync(join(foreign.tool.repository, theirs)));
  return file;
}

async function judgeDamage(place: Workplace, kind: string, file: string, count: Count): Promise<void> {
  const outcomes: string[] = [];
  for (const [id, bytes] of place.promised) outcomes.push(await place.restore(id, bytes));
  for (const outcome of outcomes) count(`${kind}: restore`, outcome);
  const { code, output } = await place.run(place.tool.check);
  const verdict = code === 0 ? 'silent' : place.tool.names(output, file) ? 'named' : 'noticed';
  count(`${kind}: check`, verdict);
  if (outcomes.some((outcome) => outcome !== 'equal')) count(`${kind}: check of what does not restore`, verdict);
  count(`${kind}: next backup`, await place.backUpAgain('after'));
}

/** A disk without room, without inodes, or read-only; and then with room again. */
const fullDisks: PeerExperiment = async (workplace, count, chance, runs) => {
  for (let n = 0; n < runs; n++) {
    for (const [name, optionsOf] of Object.entries(obstacles)) {
      const place = workplace.clone();
      const { repository } = place.tool;
      const mount = (...args: string[]): void => void execFileSync('mount', [...args, repository]);
      rmSync(repository, { recursive: true });
      mkdirSync(repository);
      mount('-t', 'tmpfs', '-o', enoughRoom, 'karri-torture');
      try {
        execFileSync('cp', ['-a', `${workplace.tool.repository}/.`, repository]);
        mount('-o', `remount,${optionsOf(chance, measureUse(repository))}`);
        const { code } = await place.run(place.tool.backup(place.source, 'without-room'));
        count(`${name}: backup`, code === 0 ? 'fits' : code === undefined ? 'hangs' : 'fails');
        const [last = '', expected = Buffer.alloc(0)] = [...place.promised].at(-1) ?? [];
        count(`${name}: earlier snapshot, meanwhile`, await place.restore(last, expected));
        mount('-o', `remount,rw,${enoughRoom}`);
        count(`${name}: backup with room again`, await place.backUpAgain('after'));
        count(`${name}: earlier snapshot, afterwards`, await place.restore(last, expected));
        count(`${name}: check`, (await place.run(place.tool.check)).code === 0 ? 'clean' : 'complains');
      } finally {
        execFileSync('umount', ['-l', repository]);
        place.remove();
      }
    }
  }
};

function replace(path: string, bytes: Buffer | undefined): void {
  rmSync(path);
  if (bytes) writeFileSync(path, bytes);
}

const experiments: Readonly<Record<string, PeerExperiment>> = { R3: kills, R4: damages, R10: fullDisks };

export const peerExperiments = Object.keys(experiments);

/** Karri's plain commands, restic and borg through the same; a line for everything that was looked at. */
export async function comparePeers(
  ids: readonly string[],
  { seed, runs, say }: { readonly seed: number; readonly runs: number; readonly say: (line: string) => void },
): Promise<PeerRow[]> {
  const rows: PeerRow[] = [];
  for (const name of ['karri', 'restic', 'borg'] as const) {
    if (!isInstalled(name)) {
      say(`${name} is skipped: it is not installed.`);
      continue;
    }
    for (const id of ids) {
      if (id === 'R10' && process.getuid?.() !== 0) {
        say(`R10 of ${name} is skipped: only root may mount a small file system.`);
        continue;
      }
      const workplace = await Workplace.make(name, seed);
      const found = new Map<string, Record<string, number>>();
      try {
        const count: Count = (what, outcome) => {
          const counts = found.get(what) ?? {};
          found.set(what, counts);
          counts[outcome] = (counts[outcome] ?? 0) + 1;
        };
        await experiments[id]?.(workplace, count, createSeeded(`peers ${id}`, seed), runs);
      } finally {
        workplace.remove();
      }
      for (const [what, counts] of found) rows.push({ experiment: id, tool: name, what, counts });
      for (const [what, counts] of found) say(`${id} ${name}: ${what}: ${JSON.stringify(counts)}`);
    }
  }
  return rows;
}

/** One line for everything that was looked at, the tools beside each other. */
export function formatPeers(rows: readonly PeerRow[]): string {
  const tools = [...new Set(rows.map(({ tool }) => tool))];
  const lines = [...new Set(rows.map(({ experiment, what }) => `${experiment} ${what}`))];
  const cell = (line: string, tool: string): string => {
    const row = rows.find((one) => one.tool === tool && `${one.experiment} ${one.what}` === line);
    return row === undefined
      ? '–'
      : Object.entries(row.counts)
          .map(([outcome, count]) => `${count} ${outcome}`)
          .join(', ');
  };
  const table = [['', ...tools], ...lines.map((line) => [line, ...tools.map((tool) => cell(line, tool))])];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
