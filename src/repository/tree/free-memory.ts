import { createRequire } from 'node:module';

/** As in malloc.h of the GNU C library, where a buffer this large is memory of its own until one of them has been freed. */
const mmapThreshold = -3;
const thresholdBytes = 128 * 1024;

let isSet = false;

/**
 * Has the C library give large buffers back to the system when they are freed. Left alone it keeps up to 32 MiB of each for later, in a heap for each
 * thread, and what lies between adds up: 30 MiB in a restore of 2 GiB. For the whole process; of no effect with other C libraries.
 */
export function returnFreedMemory(): void {
  if (isSet || process.platform !== 'linux') return;
  isSet = true;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    koffi.load(null).func('int mallopt(int, int)')(mmapThreshold, thresholdBytes);
  } catch {
    // Another C library, or none that can be called: everything works as well, in more memory.
  }
}
