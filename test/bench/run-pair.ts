import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchServer } from './bench-server.ts';
import { findDifference } from './compare.ts';
import { type Change, changeOnePercent, type DataSet, type SetName } from './gen-data.ts';
import { type Measured, measure } from './measure.ts';
import { createBorg, createKarri, createRestic, type Subject } from './peers.ts';
import type { Scenario } from './scenarios.ts';
import { makeTarget } from './target.ts';

/** One program in one scenario, once. */
export interface Run extends Omit<Measured, 'output'> {
  readonly scenario: string;
  readonly pair: number;
  readonly program: string;
  /** Bytes added to the bank; 0 for a restore. */
  readonly storedBytes: number;
}

export interface PairOptions {
  readonly pair: number;
  readonly scenarios: readonly Scenario[];
  readonly sets: ReadonlyMap<SetName, DataSet>;
  readonly server: BenchServer | undefined;
  /** The peers that are there. */
  readonly programs: readonly ('restic' | 'borg')[];
  readonly folder: string;
  readonly say: (line: string) => void;
}

/**
 * Every scenario once by each program, ours first, each at a repository of its own, on the same data; borg in the first pair alone.
 * @throws when a program fails or what it restored differs from what it had read
 */
export async function runPair(options: PairOptions): Promise<Run[]> {
  const { pair, scenarios, sets, folder, say } = options;
  const runs: Run[] = [];
  let subjects: readonly Subject[] = [];
  const changes: Change[] = [];
  const startOver = (): void => {
    for (const change of changes.splice(0).reverse()) change.undo();
    for (const subject of subjects) subject.remove();
  };
  try {
    for (const scenario of scenarios) {
      const set = sets.get(scenario.set);
      if (set === undefined) throw new Error(`Set ${scenario.set} was not made.`);
      if (scenario.fresh) {
        startOver();
        subjects = createSubjects(scenario, options);
        for (const subject of subjects) await subject.prepare();
      }
      const list = join(folder, 'changed.json');
      if (scenario.change !== undefined) {
        const change = changeOnePercent(set, 2 * pair + (scenario.change === 'listed' ? 1 : 0));
        changes.push(change);
        writeFileSync(list, JSON.stringify(change.extents));
      }
      const line: string[] = [];
      for (const subject of subjects) {
        if (subject.name === 'borg' && scenario.borg === undefined) continue;
        const measured = await runOne(subject, scenario, set, options, scenario.change === 'listed' ? list : undefined);
        runs.push({ scenario: scenario.id, pair, program: subject.name, ...measured });
        line.push(`${subject.name} ${measured.wallSeconds.toFixed(2)} s`);
      }
      say(`pair ${pair}  ${scenario.title.padEnd(26)} ${line.join('  ')}`);
    }
  } finally {
    startOver();
  }
  return runs;
}

function createSubjects({ bank, borg }: Scenario, { server, programs, pair, folder }: PairOptions): Subject[] {
  const at = bank === 's3' ? server : undefined;
  const subjects = [createKarri(join(folder, 'karri'), at)];
  if (programs.includes('restic')) subjects.push(createRestic(join(folder, 'restic'), at));
  if (programs.includes('borg') && borg !== undefined && pair === 1) subjects.push(createBorg(join(folder, 'borg')));
  return subjects;
}

async function runOne(
  subject: Subject,
  { backup, title }: Scenario,
  set: DataSet,
  { folder, say }: PairOptions,
  list: string | undefined,
): Promise<Omit<Run, 'scenario' | 'pair' | 'program'>> {
  const { path } = set;
  if (backup !== undefined) {
    const before = await subject.storedBytes();
    const { output, ...measured } = await measure(
      subject.backup(path, { ...backup, ...(list === undefined ? {} : { changed: list }) }),
    );
    subject.noteBackup(output);
    return { ...measured, storedBytes: (await subject.storedBytes()) - before };
  }
  const target = await makeTarget(join(folder, 'target'), set.bytes);
  if (target.obstacle !== undefined) say(`restored into a plain folder: ${target.obstacle}`);
  try {
    const { landedAt, ...call } = subject.restore(path, target.path);
    const { output: _, ...measured } = await measure(call);
    const difference = findDifference(path, landedAt);
    if (difference !== undefined) throw new Error(`${title}: what ${subject.name} restored is not what it read: ${difference}`);
    return { ...measured, storedBytes: 0 };
  } finally {
    await target.remove();
  }
}
