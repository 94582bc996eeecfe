import type { Caller } from '../model/caller.ts';
import type { ShownCheckpoint } from '../model/checkpoint.ts';
import type { ContentsEntry } from '../model/contents.ts';
import type { ShownGarbageCollection } from '../model/garbage-collection.ts';
import type { OperationLog } from '../model/operation-log.ts';
import type { Page, PageQuery } from '../model/page.ts';
import type { Plan, PlanHooks, PlanStatus } from '../model/plan.ts';
import type { ProtectableInstance, ProtectableType } from '../model/protectable.ts';
import type { Provider } from '../model/provider.ts';
import type { QuotaChange, QuotaDetail, QuotaLimits } from '../model/quota.ts';
import type { Parameters, PlanResource } from '../model/resource.ts';
import type { ShownRestore } from '../model/restore.ts';
import type { Service } from '../model/service.ts';
import type { ShownVerification } from '../model/verification.ts';

/**
 * What the API asks of the protection floor. Shapes of requests are already checked; ids are canonical UUIDs. Every call
 * sees to it that the caller may touch what it names: a foreign plan, restore or log is `not-found`, a foreign checkpoint
 * `forbidden`. Faults carry the kind the API sheet wants: `invalid` 400, `forbidden` 403, `not-found` 404, `over-quota` 413.
 */
export interface Protection {
  readonly providers: ProviderService;
  readonly protectables: ProtectableService;
  readonly plans: PlanService;
  readonly checkpoints: CheckpointService;
  readonly contents: ContentsService;
  readonly copies: CopyService;
  readonly restores: RestoreService;
  readonly verifications: VerificationService;
  readonly operationLogs: OperationLogService;
  readonly garbageCollections: GarbageCollectionService;
  readonly quotas: QuotaService;
  readonly services: ServiceService;
}

export interface ProviderService {
  /** All of them, ascending by id. */
  list(): readonly Provider[];
  /** @throws not-found `provider.unknown` */
  get(id: string): Provider;
}

export interface ProtectableService {
  listTypes(): readonly string[];
  /** @throws invalid `protectable.unknown_type` */
  getType(type: string): ProtectableType;
  /** Ascending by id. `parameters` comes from the query. */
  listInstances(
    caller: Caller,
    type: string,
    parameters?: Readonly<Record<string, unknown>>,
  ): Promise<readonly ProtectableInstance[]>;
  /** @throws not-found `protectable.unknown_instance`; invalid `protectable.unknown_type` */
  getInstance(
    caller: Caller,
    type: string,
    id: string,
    parameters?: Readonly<Record<string, unknown>>,
  ): Promise<ProtectableInstance>;
}

export interface NewPlan {
  readonly name: string;
  readonly description: string | null;
  readonly providerId: string;
  readonly resources: readonly PlanResource[];
  /** Stringified already. */
  readonly parameters: Parameters;
  readonly hooks: PlanHooks | null;
}

export interface PlanChange {
  readonly name?: string;
  readonly description?: string | null;
  readonly resources?: readonly PlanResource[];
  readonly status?: PlanStatus;
  readonly hooks?: PlanHooks | null;
}

export interface PlanService {
  /** @throws invalid `plan.unknown_provider`, `plan.bad_parameters`, `plan.unknown_hook` (details.field names the member) */
  create(caller: Caller, plan: NewPlan): Promise<Plan>;
  list(caller: Caller, query: PageQuery): Promise<Page<Plan>>;
  get(caller: Caller, id: string): Promise<Plan>;
  /** @throws invalid `plan.started` unless the change is of `status` alone */
  update(caller: Caller, id: string, change: PlanChange): Promise<Plan>;
  delete(caller: Caller, id: string): Promise<void>;
}

export interface CheckpointQuery extends PageQuery {
  readonly planId?: string;
  /** UTC dates `YYYY-MM-DD`, inclusive. */
  readonly startDate?: string;
  readonly endDate?: string;
}

export interface CheckpointService {
  /** Answers as soon as the flow is stored and queued: status `protecting`. Unless `extraInfo` says who made it, `created_by` is `manual`. Who gives an `id` makes one checkpoint with it: the second time is a conflict, `checkpoint.exists`. */
  create(
    caller: Caller,
    providerId: string,
    planId: string,
    extraInfo: Readonly<Record<string, unknown>> | null,
    id?: string,
  ): Promise<ShownCheckpoint>;
  /** Everything the bank holds for the project, made here or elsewhere; deleted ones are left out. Newest first unless sorted otherwise. */
  list(caller: Caller, providerId: string, query: CheckpointQuery): Promise<Page<ShownCheckpoint>>;
  get(caller: Caller, providerId: string, id: string): Promise<ShownCheckpoint>;
  resetState(caller: Caller, providerId: string, id: string, state: 'available' | 'error'): Promise<void>;
  delete(caller: Caller, providerId: string, id: string): Promise<void>;
  /**
   * Takes a deletion back, as long as garbage collection has not taken what the checkpoint needs. It stays `deleted` until all of it is there again;
   * when it cannot be had back it stays so, and says why.
   * @throws invalid `checkpoint.not_deleted`, `checkpoint.never_whole`, `checkpoint.no_undelete`, `checkpoint.undelete_runs`; over-quota
   */
  undelete(caller: Caller, providerId: string, id: string): Promise<ShownCheckpoint>;
}

/** One resource of a checkpoint. */
export interface ContentsOf {
  readonly providerId: string;
  readonly checkpointId: string;
  readonly resourceId: string;
  /** Needed only where two resources of the checkpoint have the same id. */
  readonly type?: string;
}

export interface ContentsQuery {
  /** See `path-text.ts`; empty for the root. */
  readonly path: string;
  readonly recursive: boolean;
  /** Path of the last entry of the page before. */
  readonly marker?: string;
  readonly limit: number;
}

/** Bytes that can be read from anywhere. */
export interface ContentsBytes {
  /** Of the file or resource; for people. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Different bytes have different ids. */
  readonly contentId: string;
  /** Holes come as zeros. Damage is a fault where it is met; the stream never just ends early. */
  read(range: { readonly offset: number; readonly length: number }, signal: AbortSignal): AsyncIterable<Buffer>;
}

/**
 * Looks into a checkpoint without a restore. Only into an `available` one, or into what an `error` one holds whole.
 * @throws forbidden `checkpoint.foreign`; not-found `checkpoint.unknown`, `contents.unknown_resource`, `repository.path_absent`;
 * invalid `contents.ambiguous_resource`, `contents.not_available`, `contents.no_directory`, `contents.no_volume`,
 * `repository.not_a_folder`, `repository.not_a_file`; unsupported `contents.closed`
 */
export interface ContentsService {
  /** In the byte order of names; with `recursive` each directory is followed by what is in it. */
  list(caller: Caller, of: ContentsOf, query: ContentsQuery, signal: AbortSignal): Promise<readonly ContentsEntry[]>;
  /** By any of its names; symlinks are not followed. */
  getFile(caller: Caller, of: ContentsOf, path: string, signal: AbortSignal): Promise<ContentsBytes>;
  getVolume(caller: Caller, of: ContentsOf, signal: AbortSignal): Promise<ContentsBytes>;
  /** A directory and everything in it as a POSIX tar. */
  getArchive(
    caller: Caller,
    of: ContentsOf,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly name: string; readonly bytes: AsyncIterable<Buffer> }>;
}

/** What a request to copy has begun. */
export interface Copies {
  readonly projectId: string;
  readonly providerId: string;
  readonly planId: string;
  readonly parameters: Parameters;
  /** Oldest original first. */
  readonly pairs: readonly { readonly originalId: string; readonly copyId: string }[];
}

export interface CopyService {
  /**
   * Begins a copy of every available checkpoint of the plan that is no copy itself, in the provider that the parameter `target` names. Answers as soon as
   * the copies are stored and queued: checkpoints of the other provider, status `wait_copying`.
   * @throws invalid `copy.nothing`, `copy.no_target`, `copy.several_targets`, `copy.unknown_target`, `copy.same_provider`, `copy.unsupported`,
   * `checkpoint.other_provider`, `checkpoint.refused`; over-quota
   */
  create(caller: Caller, providerId: string, planId: string, parameters: Parameters): Promise<Copies>;
}

export interface NewRestore {
  readonly providerId: string;
  readonly checkpointId: string;
  readonly restoreTarget: string | null;
  /** Used for the restore and dropped; never stored, never logged. */
  readonly restoreAuth: Readonly<Record<string, unknown>> | null;
  readonly parameters: Parameters;
}

export interface RestoreService {
  /** A refusal by the engine (unknown checkpoint, bad parameter, …) is a record with status `fail` and the reason, not a fault; another project's checkpoint is forbidden. */
  create(caller: Caller, restore: NewRestore): Promise<ShownRestore>;
  list(caller: Caller, query: PageQuery): Promise<Page<ShownRestore>>;
  get(caller: Caller, id: string): Promise<ShownRestore>;
}

export interface NewVerification {
  readonly providerId: string;
  readonly checkpointId: string;
  readonly parameters: Parameters;
}

export interface VerificationService {
  /** As with restores, a refusal by the engine is a record with status `fail` and the reason; another project's checkpoint is forbidden. */
  create(caller: Caller, verification: NewVerification): Promise<ShownVerification>;
  list(caller: Caller, query: PageQuery): Promise<Page<ShownVerification>>;
  get(caller: Caller, id: string): Promise<ShownVerification>;
}

export interface OperationLogService {
  list(caller: Caller, query: PageQuery): Promise<Page<OperationLog>>;
  get(caller: Caller, id: string): Promise<OperationLog>;
}

/** Of all repositories of a provider, whosesoever: for administrators. @throws not-found `provider.unknown`, `gc.unknown` */
export interface GarbageCollectionService {
  /** Answers as soon as it is queued. One starts by itself after deletions. */
  create(providerId: string, options: { readonly dryRun: boolean }): Promise<ShownGarbageCollection>;
  list(providerId: string, query: PageQuery): Promise<Page<ShownGarbageCollection>>;
  get(providerId: string, id: string): Promise<ShownGarbageCollection>;
}

export interface QuotaService {
  /** @throws forbidden `quota.foreign` for another project's, unless the caller is an administrator */
  get(caller: Caller, projectId: string): Promise<QuotaLimits>;
  getDetail(caller: Caller, projectId: string): Promise<QuotaDetail>;
  getDefaults(): QuotaLimits;
  /** The limits as they then are. @throws invalid `quota.beyond_capacity` when the banks cannot hold what would be promised */
  update(projectId: string, change: QuotaChange): Promise<QuotaLimits>;
  /** Back to the defaults. */
  delete(projectId: string): Promise<void>;
  /** Classes are kept and shown and limit nobody, as in Karbor. @throws forbidden `quota_class.foreign` */
  getClass(caller: Caller, name: string): Promise<QuotaLimits>;
  updateClass(name: string, change: QuotaChange): Promise<QuotaLimits>;
}

export interface ServiceService {
  list(query: { readonly host?: string; readonly binary?: string }): Promise<readonly Service[]>;
  /**
   * Any status but the two changes nothing.
   * @throws not-found `service.unknown`; invalid `service.not_switchable`, `service.reason_given`
   */
  update(id: string, change: { readonly status?: string; readonly disabledReason?: string | null }): Promise<Service>;
}
