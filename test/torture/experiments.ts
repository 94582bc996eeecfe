import { damage } from './damage.ts';
import { equality } from './equality.ts';
import type { Experiment } from './experiment.ts';
import { fullDisks } from './full-disks.ts';
import { golden } from './golden.ts';
import { histories } from './histories.ts';
import { parsers } from './parsers.ts';
import { stops } from './stops.ts';

/** All there are, in the order of their numbers. */
export const experiments: readonly Experiment[] = [stops, damage, histories, fullDisks, equality, golden, parsers];
