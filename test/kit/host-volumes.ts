import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that stands for a host: `first` and `second` are volume roots, `outside` is none. */
export interface TestHost {
  readonly folder: string;
  readonly first: string;
  readonly second: string;
  readonly outside: string;
  remove(): Promise<void>;
}

export async function makeTestHost(): Promise<TestHost> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'karri-host-')));
  const [first, second, outside] = [join(folder, 'first'), join(folder, 'second'), join(folder, 'outside')];
  for (const path of [first, second, outside]) await mkdir(path);
  return { folder, first, second, outside, remove: () => rm(folder, { recursive: true, force: true }) };
}
