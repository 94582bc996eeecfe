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
