import { throwIfAborted } from '../../base/abort.ts';
import { faultText, toFault } from '../../base/faults.ts';
import type { Finding, ObjectStore } from '../../storage/object-store.ts';
import * as laws from './bank-laws.ts';

/** What was found out about a bank, for people and for keeping. */
export interface BankReport {
  readonly bank: string;
  /** No law is broken: Karri may keep checkpoints there. */
  readonly fit: boolean;
  readonly findings: readonly Finding[];
}

export interface ProbeOptions {
  readonly signal?: AbortSignal;
  /** How many objects are written for the listing; more than 1000 sees the bank answer in pages. Default 100. */
  readonly objects?: number;
}

/** Tries in some seconds what matters of a bank, below a folder of its own that is emptied again. */
export async function probeBank(store: ObjectStore, options: ProbeOptions = {}): Promise<BankReport> {
  const { signal, objects = 100 } = options;
  const relied = 'relied on';
  const trials: readonly Trial[] = [
    { name: 'what is written can be read at once', seen: '5 objects in a row', therefore: relied, laws: [laws.readAfterWrite] },
    { name: 'what is written is listed at once', seen: '5 objects in a row', therefore: relied, laws: [laws.listAfterWrite] },
    {
      name: 'listings are complete and in order',
      seen: `${objects} objects, odd names, start in the middle`,
      therefore: relied,
      laws: [(bank) => laws.listPages(bank, objects), laws.listOrder, laws.startAfter],
    },
    {
      name: 'ranges give exactly their bytes',
      seen: 'begin, middle, end, beyond the end',
      therefore: 'reads parts of packs',
      laws: [laws.ranges, laws.rangePastEnd],
    },
    {
      name: 'large and empty objects come back equal',
      seen: '17 MiB and 0 bytes',
      therefore: relied,
      laws: [laws.bigBody, laws.emptyBody],
    },
    {
      name: 'deleted objects are gone at once',
      seen: `${objects} in one call`,
      therefore: relied,
      laws: [laws.deleting, (bank) => laws.deleteMany(bank, objects)],
    },
    {
      name: 'conditional put holds under a race',
      seen: '1 of 20 writers won',
      therefore: 'used where a key must be made once',
      otherwise: 'not used: names are unique instead',
      laws: [laws.ifAbsentRace],
    },
    {
      name: 'an interrupted put leaves nothing half-written',
      seen: '4 puts of 8 MiB cut off',
      therefore: relied,
      laws: [laws.abortedPut],
    },
  ];
  const findings: Finding[] = [];
  for (const trial of trials) {
    throwIfAborted(signal);
    findings.push(await tryLaws(store, trial));
  }
  findings.push(...(await laws.inScratch(store, async ({ folder }) => store.probe?.(folder, { signal }) ?? [])));
  return { bank: store.description, fit: findings.every((finding) => finding.outcome !== 'broken'), findings };
}

interface Trial {
  readonly name: string;
  /** What is said of it when all its laws hold. */
  readonly seen: string;
  readonly therefore: string;
  /** What Karri does where a law has nothing to say. */
  readonly otherwise?: string;
  readonly laws: readonly ((bank: laws.Bank) => Promise<string | undefined>)[];
}

async function tryLaws(store: ObjectStore, { name, seen, therefore, otherwise, laws: bodies }: Trial): Promise<Finding> {
  for (const body of bodies) {
    try {
      const reason = await laws.inScratch(store, body);
      if (reason !== undefined) return { name, outcome: 'no', seen: reason, therefore: otherwise ?? therefore };
    } catch (error) {
      const fault = toFault(error);
      return { name, outcome: 'broken', seen: `${faultText(fault)} (${fault.code})`, therefore: 'not fit as a bank' };
    }
  }
  return { name, outcome: 'yes', seen, therefore };
}

/** The report as a table of plain text: one line a finding, no trailing white space. */
export function formatBankReport(report: BankReport): string {
  const rows = [
    ['', 'Found', 'Seen', 'What Karri does'],
    ...report.findings.map(({ outcome, name, seen, therefore }) => [outcome, name, seen, therefore]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const verdict = report.fit ? 'It is fit as a bank.' : 'It is NOT fit as a bank: see the lines marked broken.';
  return [report.bank, '', ...lines, '', verdict, ''].join('\n');
}
