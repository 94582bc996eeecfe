import { formatBytes, KiB } from '../../base/bytes.ts';
import { systemClock } from '../../base/clock.ts';
import type { DamagedRange, Progress } from '../../repository/contract.ts';
import type { Streams } from './command.ts';

export interface Transfer {
  update(progress: Progress): void;
  /** Takes the line away. */
  end(): TransferFigures;
}

export interface TransferFigures {
  /** Since the start, opening the repository included. */
  readonly seconds: number;
  readonly peakRssBytes: number;
  readonly json: boolean;
}

const verbs: Record<Progress['phase'], string> = { write: 'storing', restore: 'restoring', verify: 'comparing' };
const redrawMs = 100;

/** On a terminal one line that is drawn over and over; elsewhere nothing is shown before the end. */
export function startTransfer({ err }: Streams, json = false): Transfer {
  const clock = systemClock;
  const beganAt = clock.monotonic();
  const drawn = err.isTTY === true && !json;
  let drawnAt = beganAt;
  return {
    update({ phase, doneBytes, totalBytes, storedBytes }) {
      if (!drawn || clock.monotonic() - drawnAt < redrawMs) return;
      drawnAt = clock.monotonic();
      const share = totalBytes === 0 ? 100 : Math.floor((100 * doneBytes) / totalBytes);
      const rate = formatBytes(Math.round((doneBytes * 1000) / (drawnAt - beganAt)));
      const stored = phase === 'write' ? ` · ${formatBytes(storedBytes)} stored` : '';
      err.write(
        `\r\u001b[2K${verbs[phase]} ${share} % · ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)} · ${rate}/s${stored}`,
      );
    },
    end() {
      if (drawn) err.write('\r\u001b[2K');
      return {
        seconds: (clock.monotonic() - beganAt) / 1000,
        peakRssBytes: process.resourceUsage().maxRSS * KiB,
        json,
      };
    },
  };
}

export interface TransferResult {
  readonly verb: string;
  readonly snapshot: string;
  readonly kind: 'volume' | 'tree';
  readonly sizeBytes: number;
  /** Absent for a restore. */
  readonly storedBytes?: number;
  readonly reusedBytes?: number;
  readonly files: number;
  readonly digest: string;
  readonly warnings: readonly string[];
  /** Absent for a backup. */
  readonly damaged?: readonly DamagedRange[];
}

/** What it came to: a few lines for people, or one object for programs. Warnings go to standard error. */
export function reportTransfer({ out, err }: Streams, figures: TransferFigures, result: TransferResult): void {
  const { seconds, peakRssBytes, json } = figures;
  const { verb, snapshot, kind, sizeBytes, storedBytes, reusedBytes, files, digest, warnings, damaged } = result;
  if (json) {
    const members = {
      snapshot,
      kind,
      size_bytes: sizeBytes,
      stored_bytes: storedBytes,
      reused_bytes: reusedBytes,
      files,
      digest,
      warnings,
      damaged,
      seconds,
      peak_rss_bytes: peakRssBytes,
    };
    out.write(`${JSON.stringify(members, null, 2)}\n`);
    return;
  }
  for (const warning of warnings) err.write(`${warning}\n`);
  for (const range of damaged ?? []) out.write(`${damagedText(range)}\n`);
  const what = kind === 'tree' ? `${files} files, ${formatBytes(sizeBytes)}` : formatBytes(sizeBytes);
  out.write(`snapshot  ${snapshot}\n`);
  out.write(`${verb.padEnd(9)} ${what}\n`);
  if (storedBytes !== undefined && reusedBytes !== undefined)
    out.write(`stored    ${formatBytes(storedBytes)}, reused ${formatBytes(reusedBytes)}\n`);
  if (damaged !== undefined && damaged.length > 0)
    out.write(`lost      ${damaged.length} files or ranges, listed above; everything else is as it was\n`);
  out.write(
    `took      ${seconds.toFixed(2)} s, ${formatBytes(Math.round(sizeBytes / seconds))}/s, peak memory ${formatBytes(peakRssBytes)}\n`,
  );
}

function damagedText({ path, offset, length, reason }: DamagedRange): string {
  const range = length === 0 ? [] : [`${length} bytes from byte ${offset} read as zeros`];
  return [...(path === '' ? [] : [path]), ...range, reason].join(': ');
}
