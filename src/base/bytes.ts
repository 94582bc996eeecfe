const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.5 MiB`: for people, never for parsing. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit]}`;
}

export const KiB = 1024;
export const MiB = 1024 * 1024;
export const GiB = 1024 * 1024 * 1024;

/** `20MiB`, `1.5 TiB` or `4096` as bytes; NaN for anything else. */
export function parseBytes(text: string): number {
  const [, number = '', unit = 'B'] = /^(\d{1,13}(?:\.\d{1,3})?) ?(KiB|MiB|GiB|TiB|PiB)?$/.exec(text) ?? [];
  return number === '' ? Number.NaN : Math.round(Number(number) * 1024 ** units.findIndex((each) => each === unit));
}
