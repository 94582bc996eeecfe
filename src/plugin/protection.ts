import type { Json } from '../base/canonical-json.ts';
import type { Log } from '../base/log.ts';
import type { Mover, Written } from './mover.ts';
import type { Resource } from './protectable.ts';

/** A JSON Schema object as the API publishes it; `properties` bounds what a request may name. */
export interface PublishedSchema {
  readonly title: string;
  readonly type: 'object';
  readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly required: readonly string[];
}

export interface ProtectionSchemas {
  readonly options: PublishedSchema;
  readonly restore: PublishedSchema;
  readonly verify: PublishedSchema;
  readonly savedInfo: PublishedSchema;
}

/**
 * The four hooks of an operation, in Karbor's order for every edge parent → child of the resource graph:
 * parent.prepareBegin before child.prepareBegin; child.prepareFinish before parent.prepareFinish; child.complete before
 * parent.complete. `main` has no order between resources.
 *
 * Every hook is repeatable: after a crash it is called again, maybe in another process. Name what you make after
 * `call.stepId`, and look before you make. What a hook returns is kept and handed to the later hooks as `call.outcomes`.
 */
export interface Hooks<Call extends OperationCall> {
  prepareBegin?(call: Call): Promise<Json | undefined>;
  prepareFinish?(call: Call): Promise<Json | undefined>;
  main?(call: Call): Promise<Json | undefined>;
  complete?(call: Call): Promise<Json | undefined>;
  /** Takes back what this operation made for the resource; called once after a cancel or a failure, and repeatable as the others. */
  abandon?(call: Call): Promise<void>;
}

export type HookName = 'prepareBegin' | 'prepareFinish' | 'main' | 'complete';

export interface OperationCall {
  /** `<operation id>/<step number>`: the same on every retry. */
  readonly stepId: string;
  readonly projectId: string;
  readonly userId: string;
  readonly providerId: string;
  readonly checkpointId: string;
  readonly resource: Resource;
  /** Parameters of the type overlaid by those of the resource; all values are text. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly outcomes: Readonly<Partial<Record<HookName, Json>>>;
  readonly mover: Mover;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** `main` returns the resource's saved info (JSON), which the checkpoint keeps and every later operation is handed. */
export type ProtectCall = OperationCall;

export interface RestoreCall extends OperationCall {
  readonly saved: Json;
  /** `TYPE#ORIGINAL_ID` → id of what the restore made of it, for resources whose hooks have already said so. */
  readonly newResources: ReadonlyMap<string, string>;
  /** Records the id of the restored resource; from then on results are kept under it. */
  made(newId: string): Promise<void>;
  readonly restoreTarget: string | null;
}

export interface VerifyCall extends OperationCall {
  readonly saved: Json;
}

export interface DeleteCall extends OperationCall {
  /** Undefined when the protect never got as far as saving anything. */
  readonly saved: Json | undefined;
}

/** What the mover called `snapshot` and `kind` when it was written. */
export type Snapshot = Pick<Written, 'snapshot' | 'kind'>;

export interface Protection {
  readonly protect: Hooks<ProtectCall>;
  readonly restore: Hooks<RestoreCall>;
  /** Absent: this plugin cannot verify, and the request is refused. */
  readonly verify?: Hooks<VerifyCall>;
  readonly delete: Hooks<DeleteCall>;
  /**
   * The snapshot in which a resource's bytes lie, so that files and ranges can be read out of it without a restore. Undefined where it has none;
   * absent: nothing of this plugin can be looked into. Throws `corrupt` for saved info that is not its own.
   */
  snapshotOf?(saved: Json, resource: Resource): Snapshot | undefined;
  close(): Promise<void>;
}
