import type { Row } from './summary.ts';

const rowHeight = 26;
const labelWidth = 210;
const barWidth = 520;
const topHeight = 64;

/** Our time as a share of restic's: one bar a scenario, a tick at what must and one at what should be reached. */
export function drawChart(rows: readonly Row[], caption: string): string {
  const shown = rows.filter((row) => row.wallRatio !== undefined);
  const height = topHeight + shown.length * rowHeight + 30;
  const width = labelWidth + barWidth + 90;
  const scale = (ratio: number): number => labelWidth + Math.min(ratio, 1) * barWidth;
  const lines = shown.map((row, n) => drawRow(row, topHeight + n * rowHeight, scale));
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const x = scale(share);
    const label = share === 1 ? 'restic = 1' : String(share);
    return `<line x1="${x}" y1="${topHeight - 6}" x2="${x}" y2="${height - 24}" stroke="#ddd"/><text x="${x}" y="${height - 8}" text-anchor="middle">${label}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="12" y="22" font-size="15" font-weight="bold">Karri's time as a share of restic's</text>
<text x="12" y="42" fill="#555">${caption}; ticks: must (black), aim (green)</text>
${grid.join('\n')}
${lines.join('\n')}
</svg>
`;
}

function drawRow({ title, wallRatio = 0, must, aim }: Row, y: number, scale: (ratio: number) => number): string {
  const missed = must !== undefined && wallRatio > must;
  const bar = `<rect x="${labelWidth}" y="${y}" width="${(scale(wallRatio) - labelWidth).toFixed(1)}" height="16" fill="${missed ? '#c0504d' : '#4472a8'}"/>`;
  const tick = (ratio: number | undefined, color: string): string =>
    ratio === undefined
      ? ''
      : `<line x1="${scale(ratio)}" y1="${y - 3}" x2="${scale(ratio)}" y2="${y + 19}" stroke="${color}" stroke-width="2"/>`;
  const value = `<text x="${(scale(wallRatio) + 8).toFixed(1)}" y="${y + 13}">${wallRatio.toFixed(2)}</text>`;
  return `<text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${title}</text>${bar}${tick(must, 'black')}${tick(aim, '#2e8b57')}${value}`;
}
