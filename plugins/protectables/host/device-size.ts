import { readFile } from 'node:fs/promises';
import { hasCode } from './paths.ts';

/** What Linux counts in /sys in, whatever the device's own block size. */
const sectorBytes = 512;

/** Size of a block device by its number, without opening it; null where the platform does not tell. */
export async function findDeviceSize(deviceNumber: bigint): Promise<number | null> {
  const major = ((deviceNumber >> 8n) & 0xfffn) | ((deviceNumber >> 32n) & 0xfffff000n);
  const minor = (deviceNumber & 0xffn) | ((deviceNumber >> 12n) & 0xffffff00n);
  try {
    return Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * sectorBytes;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}
