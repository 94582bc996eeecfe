import { loadPosix } from '../tree/posix.ts';

/**
 * Tells data from holes in an open file, range by range in ascending order, and remembers how far the data goes. The system looks for the end of it
 * page by page where a file system keeps no extents of written data (tmpfs; preallocated or just written files): asked anew for each segment, that is the
 * square of the size, a third of the CPU of reading 768 MiB. What became a hole since is read as zeros.
 */
export class DataRun {
  readonly #fd: number;
  #begin = 0;
  #end = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** `mixed` when there may be holes in it. */
  look(offset: number, length: number): 'hole' | 'data' | 'mixed' {
    const end = offset + length;
    if (offset >= this.#begin && end <= this.#end) return 'data';
    const posix = loadPosix();
    const data = posix.seek(this.#fd, offset, 'data');
    if (data === undefined || (data !== 'unsupported' && data >= end)) return 'hole';
    if (data !== offset) return 'mixed';
    const hole = posix.seek(this.#fd, data, 'hole');
    if (typeof hole !== 'number' || hole < end) return 'mixed';
    this.#begin = offset;
    this.#end = hole;
    return 'data';
  }
}
