import type { Plugin } from 'karri/plugin';
import filesystem from './banks/filesystem/index.ts';
import s3 from './banks/s3/index.ts';
import { hostBlockProtectable, hostDirectoryProtectable } from './protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from './protections/host/index.ts';

/** The plugins that come with Karri. The list is written by hand: nothing is found by scanning, nothing registers itself. */
export const builtInPlugins: readonly Plugin[] = [
  filesystem,
  s3,
  hostDirectoryProtectable,
  hostBlockProtectable,
  hostDirectoryProtection,
  hostBlockProtection,
];
