import { MiB } from '../../src/base/bytes.ts';
import type { Run } from './run-pair.ts';
import { peakMiB, type Scenario } from './scenarios.ts';

/** Medians over the pairs. */
export interface Figures {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly storedMiB: number;
}

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly must: number | undefined;
  readonly aim: number | undefined;
  readonly karri: Figures;
  readonly restic: Figures | undefined;
  readonly borg: Figures | undefined;
  /** Ours ÷ restic's: the median of the pairs' own ratios, so that what slowed both down counts for neither. */
  readonly wallRatio: number | undefined;
  readonly cpuRatio: number | undefined;
  readonly storedRatio: number | undefined;
  readonly storedMust: number | undefined;
}

export function summarize(scenarios: readonly Scenario[], runs: readonly Run[]): Row[] {
  return scenarios.map(({ id, title, must, aim, storedMust }) => {
    const of = (program: string): Run[] => runs.filter((run) => run.scenario === id && run.program === program);
    const [ours, theirs, borg] = [of('karri'), of('restic'), of('borg')];
    const ratio = (pick: (run: Run) => number): number | undefined =>
      theirs.length === 0 ? undefined : median(ours.map((run, n) => pick(run) / Math.max(pick(theirs[n] ?? run), 1e-9)));
    return {
      id,
      title,
      must,
      aim,
      karri: figuresOf(ours),
      restic: theirs.length === 0 ? undefined : figuresOf(theirs),
      borg: borg.length === 0 ? undefined : figuresOf(borg),
      wallRatio: ratio((run) => run.wallSeconds),
      cpuRatio: ratio((run) => run.cpuSeconds),
      storedRatio: storedMust === undefined ? undefined : ratio((run) => run.storedBytes),
      storedMust,
    };
  });
}

/** For people, one line a scenario, and what was reached of the targets. */
export function formatTable(rows: readonly Row[]): string {
  const head = ['scenario', 'karri s', 'restic s', 'ratio', 'must', 'aim', '', 'CPU', 'stored MiB', 'peak MiB', 'borg s'];
  const body = rows.map(({ title, karri, restic, borg, wallRatio, cpuRatio, must, aim, ...row }) => [
    title,
    karri.wallSeconds.toFixed(2),
    restic?.wallSeconds.toFixed(2) ?? '-',
    wallRatio?.toFixed(3) ?? '-',
    must?.toFixed(2) ?? '-',
    aim?.toFixed(2) ?? '-',
    verdict(wallRatio, must, aim),
    cpuRatio?.toFixed(2) ?? '-',
    `${karri.storedMiB.toFixed(1)} : ${restic?.storedMiB.toFixed(1) ?? '-'}${storedVerdict(row)}`,
    `${karri.peakMiB.toFixed(0)} : ${restic?.peakMiB.toFixed(0) ?? '-'}`,
    borg?.wallSeconds.toFixed(2) ?? '',
  ]);
  const worst = Math.max(...rows.map(({ karri }) => karri.peakMiB));
  const widths = head.map((name, column) => Math.max(name.length, ...body.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, n) => (n === 0 || n === 6 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join('  ');
  const peak = `peak memory of the mover: ${worst.toFixed(0)} MiB (must ${peakMiB.must}, aim ${peakMiB.aim}) ${verdict(worst, peakMiB.must, peakMiB.aim)}`;
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line), '', peak].join('\n');
}

/** Every must of the rows, and what became of it. */
export interface Judgement {
  readonly met: number;
  /** What was missed: `B restore: 0.52 of restic's time (must 0.45)`. */
  readonly missed: readonly string[];
  /** Rows whose musts could not be measured, as restic was not there. */
  readonly untried: readonly string[];
}

export function judge(rows: readonly Row[]): Judgement {
  const musts = rows.flatMap(({ title, must, wallRatio, storedMust, storedRatio, karri }) => [
    { title, what: "of restic's time", value: wallRatio, must },
    { title, what: "of restic's bytes", value: storedRatio, must: storedMust },
    { title, what: 'MiB at the peak', value: karri.peakMiB, must: peakMiB.must },
  ]);
  const tried = musts.filter(({ value, must }) => value !== undefined && must !== undefined);
  const missed = tried.filter(({ value = 0, must = 0 }) => value > must);
  const untried = musts.filter(({ value, must }) => value === undefined && must !== undefined).map(({ title }) => title);
  const digits = (value: number): string => value.toFixed(value < 10 ? 3 : 0);
  return {
    met: tried.length - missed.length,
    missed: missed.map(({ title, what, value = 0, must = 0 }) => `${title}: ${digits(value)} ${what} (must ${must})`),
    untried: [...new Set(untried)],
  };
}

/** The last lines of the bench. */
export function formatJudgement({ met, missed, untried }: Judgement): string {
  const lines = [`${met} of ${met + missed.length} musts are met.`, ...missed.map((line) => `missed  ${line}`)];
  if (untried.length > 0) lines.push(`not measured, as restic is not there: ${untried.join(', ')}`);
  return lines.join('\n');
}

function verdict(value: number | undefined, must: number | undefined, aim: number | undefined): string {
  if (value === undefined || must === undefined || aim === undefined) return '';
  return value <= aim ? 'aim' : value <= must ? 'must' : 'MISSED';
}

function storedVerdict({ storedRatio, storedMust }: Pick<Row, 'storedRatio' | 'storedMust'>): string {
  if (storedRatio === undefined || storedMust === undefined) return '';
  return storedRatio <= storedMust ? ' ok' : ` > ${storedMust}`;
}

function figuresOf(runs: readonly Run[]): Figures {
  return {
    wallSeconds: median(runs.map((run) => run.wallSeconds)),
    cpuSeconds: median(runs.map((run) => run.cpuSeconds)),
    peakMiB: median(runs.map((run) => run.peakBytes)) / MiB,
    storedMiB: median(runs.map((run) => run.storedBytes)) / MiB,
  };
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2;
}
