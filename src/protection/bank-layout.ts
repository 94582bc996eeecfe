import { Fault } from '../base/faults.ts';
import { type CheckpointStatus, type CheckpointWord, checkpointStatuses, compareWords } from '../model/checkpoint.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/**
 * What a bank holds, as keys:
 *
 *   repositories/<project>/…                                   see repository/FORMAT.md
 *   checkpoints/<provider>/<project>/<plan>/<time>-<checkpoint>/<generation>-<status>-<writer>
 *
 * `<time>` is twelve hex digits of milliseconds since the epoch, so a listing is in order of creation. A checkpoint's state
 * is never overwritten: each change is a new object of the next generation, the highest counts, and a plain listing tells
 * every checkpoint and its status without reading anything. `<writer>` keeps two workers that write the same generation
 * apart: `compareWords` says which of them counts, the same for every reader.
 */
export interface CheckpointKey extends CheckpointWord {
  readonly projectId: string;
  readonly planId: string;
  readonly checkpointId: string;
  readonly createdAt: number;
  readonly key: string;
}

/** The projects that have a repository in the bank; one request each. */
export async function listRepositories(bank: ObjectStore): Promise<string[]> {
  const projects: string[] = [];
  for (let startAfter: string | undefined; ; ) {
    let part: string | undefined;
    for await (const { key } of bank.list(repositoriesPrefix, startAfter === undefined ? {} : { startAfter })) {
      part = key.split('/')[1];
      break;
    }
    if (part === undefined) return projects;
    projects.push(fromKeyPart(part));
    // What comes right behind every key that begins with `<part>/`.
    startAfter = `${repositoriesPrefix}${part}0`;
  }
}

const repositoriesPrefix = 'repositories/';

/** Any text as one part of a key: what a key may not hold is written `=XX`. */
export function keyPart(text: string): string {
  const part = [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9._~@-]/.test(char) ? char : `=${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
  // A part made of dots alone would be a path.
  return /^\.+$/.test(part) ? part.replaceAll('.', '=2e') : part;
}

function fromKeyPart(part: string): string {
  const bytes = part
    .split(/(=[0-9a-f]{2})/)
    .map((piece) => (/^=[0-9a-f]{2}$/.test(piece) ? Buffer.from(piece.slice(1), 'hex') : Buffer.from(piece)));
  return Buffer.concat(bytes).toString('utf8');
}

export function checkpointsPrefix(providerId: string, projectId?: string): string {
  return `checkpoints/${providerId}/${projectId === undefined ? '' : `${keyPart(projectId)}/`}`;
}

export function checkpointKey(
  providerId: string,
  entry: {
    projectId: string;
    planId: string;
    checkpointId: string;
    createdAt: number;
    generation: number;
    status: CheckpointStatus;
  },
  writer: string,
): string {
  const time = entry.createdAt.toString(16).padStart(12, '0');
  const generation = String(entry.generation).padStart(4, '0');
  return `${checkpointsPrefix(providerId, entry.projectId)}${entry.planId}/${time}-${entry.checkpointId}/${generation}-${entry.status}-${writer}`;
}

/** Takes a key apart; undefined for a key that is none of ours (a newer Karri may keep other things there). */
export function parseCheckpointKey(key: string): CheckpointKey | undefined {
  const match = /^checkpoints\/[^/]+\/([^/]+)\/([^/]+)\/([0-9a-f]{12})-([0-9a-f-]{36})\/(\d{4})-([a-z_-]+)-[0-9a-f]+$/.exec(key);
  if (!match) return undefined;
  const [, project = '', planId = '', time = '', checkpointId = '', generation = '', status = ''] = match;
  if (!checkpointStatuses.some((known) => known === status)) return undefined;
  return {
    projectId: fromKeyPart(project),
    planId,
    checkpointId,
    createdAt: Number.parseInt(time, 16),
    generation: Number(generation),
    status: status as CheckpointStatus,
    key,
  };
}

/** Which of two words about one checkpoint counts. */
export function laterOf(a: CheckpointKey, b: CheckpointKey): CheckpointKey {
  if (a.checkpointId !== b.checkpointId)
    throw new Fault('internal', 'protection.other_checkpoint', 'Two checkpoints cannot be compared.');
  return (compareWords(a, b) || (a.key < b.key ? -1 : 1)) > 0 ? a : b;
}
