import type { Progress } from 'karri/client';
import { systemClock } from '../src/base/clock.ts';

const out = process.stdout;
const barWidth = 28;
/** Without a terminal a long step prints one line in this time, not one per answer. */
const plainLineMs = 3000;

export function title(text: string): void {
  out.write(`\n${bold(text)}\n`);
}

export function say(text: string): void {
  out.write(`  ${text}\n`);
}

/** One comparison and its outcome; the demo fails when any of them is false. */
export function verdict(what: string, equal: boolean): void {
  say(`${equal ? green('✓') : red('✗')} ${what}: ${equal ? 'equal' : red('DIFFERENT')}`);
}

export interface Bar {
  update(progress: Progress): void;
  /** Takes the bar away; what it came to is said by the caller. */
  end(): void;
}

/** A line that is drawn over and over on a terminal; elsewhere a plain line now and then. */
export function startBar(label: string): Bar {
  let lastLineAt = systemClock.monotonic();
  return {
    update: (progress) => {
      if (out.isTTY) {
        out.write(`\r\u001b[2K  ${label} ${drawBar(progress)} ${describe(progress)}`.slice(0, out.columns + 5));
        return;
      }
      if (systemClock.monotonic() - lastLineAt < plainLineMs) return;
      lastLineAt = systemClock.monotonic();
      say(`${label} ${describe(progress)}`);
    },
    end: () => {
      if (out.isTTY) out.write('\r\u001b[2K');
    },
  };
}

/** Columns as wide as they need to be; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (/^[\d.-]/.test(cell) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ');
  say(bold(line(head)));
  say(widths.map((width) => '─'.repeat(width)).join('  '));
  for (const row of rows) say(line(row).trimEnd());
}

/** `312.4 MiB` */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `4.1` */
export function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(1);
}

function drawBar(progress: Progress): string {
  const share = progress.total_bytes === 0 ? 0 : Math.min(1, progress.done_bytes / progress.total_bytes);
  const full = Math.round(share * barWidth);
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}`;
}

function describe(progress: Progress): string {
  const left = progress.seconds_left === null ? '' : ` · ${Math.ceil(progress.seconds_left)} s left`;
  const rate = progress.bytes_per_second === 0 ? '' : ` · ${bytes(progress.bytes_per_second)}/s`;
  return `${bytes(progress.done_bytes)} of ${bytes(progress.total_bytes)}${rate}${left}`;
}

const styled =
  (code: number) =>
  (text: string): string =>
    out.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text;
const bold = styled(1);
const red = styled(31);
const green = styled(32);
