import type { SetName } from './gen-data.ts';
import type { BackupOptions } from './peers.ts';

/** One line of the table: what is done, and what our time may be as a share of restic's. */
export interface Scenario {
  readonly id: string;
  readonly set: SetName;
  readonly bank: 'local' | 's3';
  readonly title: string;
  /** Absent: only shown. */
  readonly must?: number;
  readonly aim?: number;
  /** What the bank holds afterwards, as a share of what restic's does. */
  readonly storedMust?: number;
  /** Not named: a restore of what was backed up last. */
  readonly backup?: BackupOptions;
  /** On an empty bank. */
  readonly fresh?: true;
  /** 1 % of the bytes are changed before. `list`: and it is known which. */
  readonly change?: 'unlisted' | 'listed';
  /** Borg has its turn too. */
  readonly borg?: true;
}

/** In the order they are run; a fresh one begins a new bank for those below it, but `fast`, which has a bank to itself. */
export const scenarios: readonly Scenario[] = [
  {
    id: 'B-fast',
    set: 'B',
    bank: 'local',
    title: 'B first, fast level',
    must: 0.3,
    aim: 0.2,
    storedMust: 1.05,
    backup: { level: 'fast' },
    fresh: true,
  },
  {
    id: 'B-first',
    set: 'B',
    bank: 'local',
    title: 'B first',
    must: 0.4,
    aim: 0.3,
    storedMust: 1,
    backup: {},
    fresh: true,
    borg: true,
  },
  {
    id: 'B-reread',
    set: 'B',
    bank: 'local',
    title: 'B unchanged, all re-read',
    must: 0.2,
    aim: 0.1,
    backup: { everything: true },
    borg: true,
  },
  { id: 'B-known', set: 'B', bank: 'local', title: 'B unchanged, known', must: 0.5, aim: 0.33, backup: {} },
  {
    id: 'B-changed',
    set: 'B',
    bank: 'local',
    title: 'B 1 % changed, re-read',
    must: 0.25,
    aim: 0.12,
    backup: {},
    change: 'unlisted',
    borg: true,
  },
  {
    id: 'B-listed',
    set: 'B',
    bank: 'local',
    title: 'B 1 % changed, listed',
    must: 0.08,
    aim: 0.05,
    backup: {},
    change: 'listed',
    borg: true,
  },
  { id: 'B-restore', set: 'B', bank: 'local', title: 'B restore', must: 0.45, aim: 0.3, borg: true },
  { id: 'B-s3-first', set: 'B', bank: 's3', title: 'B first, S3', must: 0.4, aim: 0.3, backup: {}, fresh: true },
  { id: 'B-s3-restore', set: 'B', bank: 's3', title: 'B restore, S3', must: 0.5, aim: 0.35 },
  {
    id: 'A-first',
    set: 'A',
    bank: 'local',
    title: 'A first',
    must: 0.5,
    aim: 0.35,
    storedMust: 1,
    backup: {},
    fresh: true,
    borg: true,
  },
  { id: 'A-known', set: 'A', bank: 'local', title: 'A unchanged', must: 0.25, aim: 0.15, backup: {}, borg: true },
  {
    id: 'A-changed',
    set: 'A',
    bank: 'local',
    title: 'A 1 % changed',
    must: 0.35,
    aim: 0.2,
    backup: {},
    change: 'unlisted',
    borg: true,
  },
  { id: 'A-restore', set: 'A', bank: 'local', title: 'A restore', must: 0.6, aim: 0.4 },
  { id: 'A-s3-first', set: 'A', bank: 's3', title: 'A first, S3', backup: {}, fresh: true },
  { id: 'A-s3-restore', set: 'A', bank: 's3', title: 'A restore, S3', must: 0.4, aim: 0.2 },
];

/** Of the mover, in every scenario. */
export const peakMiB = { must: 350, aim: 256 };
