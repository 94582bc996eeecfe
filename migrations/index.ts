import type { Knex } from 'knex';
import { up as initial } from './0001-initial.ts';
import { up as operations } from './0002-operations.ts';
import { up as verifications } from './0003-verifications.ts';
import { up as tokens } from './0004-tokens.ts';
import { up as quotasAndServices } from './0005-quotas-and-services.ts';
import { up as schedules } from './0006-schedules.ts';
import { up as allCheckpoints } from './0007-all-checkpoints.ts';

export interface SchemaMigration {
  /** Never changed once released: it is what the database remembers. */
  readonly name: string;
  up(knex: Knex): Promise<void>;
}

/** In order. There is no way down: go back by restoring a dump. */
export const migrations: readonly SchemaMigration[] = [
  { name: '0001-initial', up: initial },
  { name: '0002-operations', up: operations },
  { name: '0003-verifications', up: verifications },
  { name: '0004-tokens', up: tokens },
  { name: '0005-quotas-and-services', up: quotasAndServices },
  { name: '0006-schedules', up: schedules },
  { name: '0007-all-checkpoints', up: allCheckpoints },
];
