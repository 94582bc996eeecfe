import { damage } from './damage.ts';
import { equality } from './equality.ts';
import type { Experiment } from './experiment.ts';
import { histories } from './histories.ts';
import { stops } from './stops.ts';

/** All there are, in the order of their numbers. */
export const experiments: readonly Experiment[] = [stops, damage, histories, equality];
