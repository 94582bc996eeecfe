import { formatBytes } from '../../base/bytes.ts';
import type { GcAmount, GcPlan, GcSummary } from '../../repository/contract.ts';
import { type Command, parse, type Streams, UsageError } from './command.ts';
import { bankOptions, bankUsage, withLocalRepository } from './local-repository.ts';

const options = { ...bankOptions, grace: { type: 'string', default: '2' }, yes: { type: 'boolean', default: false } } as const;

export const gc: Command = {
  usage: `gc ${bankUsage} [--grace RUNS] [--yes]`,
  summary:
    'show what no snapshot needs and how far it is on its way out of the bank; --yes goes a step on: seen, in quarantine for --grace runs, to be deleted, deleted',
  async run(args, streams) {
    const { values } = parse(args, options);
    if (!/^[1-9]\d{0,3}$/.test(values.grace))
      throw new UsageError(`--grace is "${values.grace}"; it must be a whole number from 1 to 9999.`);
    return withLocalRepository(values, streams, { init: false }, async ({ repository, signal }) => {
      const plan = await repository.planGc({ signal, graceGenerations: Number(values.grace) });
      // Before anything is done; and a plan with damage in it is refused below, which says so.
      if (!values.json) reportPlan(streams, plan);
      const summary = values.yes ? await repository.runGc(plan, { signal }) : undefined;
      if (values.json) streams.out.write(`${JSON.stringify(figuresOf(plan, summary), null, 2)}\n`);
      else if (summary) reportSummary(streams, summary);
      return plan.damages.length === 0 && summary?.isDone !== false ? 0 : 1;
    });
  },
};

function reportPlan({ out, err }: Streams, plan: GcPlan): void {
  const line = (what: string, { packs, bytes }: GcAmount): string =>
    `${what.padEnd(24)} ${formatBytes(bytes).padStart(9)} in ${packs} packs\n`;
  out.write(line('needed', plan.keeps));
  out.write(line('not needed, seen now', plan.suspects));
  out.write(line('in quarantine', plan.quarantined));
  out.write(line('deleted by the next run', plan.deletesNext));
  out.write(line('deleted by this run', plan.deletes));
  out.write(`${'forgotten for good'.padEnd(24)} ${plan.retired.length + plan.stillborn.length} snapshots\n`);
  for (const damage of plan.damages) err.write(`${damage}\n`);
}

function reportSummary({ out, err }: Streams, { generation, deletedPacks, deletedBytes, isDone }: GcSummary): void {
  out.write(`Run ${generation}: ${formatBytes(deletedBytes)} in ${deletedPacks} packs deleted.\n`);
  if (!isDone) err.write('Another run was at the same objects, so nothing was deleted; run it again.\n');
}

function figuresOf(plan: GcPlan, summary: GcSummary | undefined): object {
  const { generation, damages, deletes, deletesNext, quarantined, suspects, keeps, retired, stillborn } = plan;
  return {
    generation,
    damages,
    keeps,
    suspects,
    quarantined,
    deletes_next: deletesNext,
    deletes,
    retired,
    stillborn,
    done: summary ? { deleted_packs: summary.deletedPacks, deleted_bytes: summary.deletedBytes, is_done: summary.isDone } : null,
  };
}
