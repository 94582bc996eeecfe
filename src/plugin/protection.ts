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
export interface Hooks<Call extends OperationCall, Main extends Json = Json> {
  prepareBegin?(call: Call): Promise<Json | undefined>;
  prepareFinish?(call: Call): Promise<Json | undefined>;
  main?(call: Call): Promise<Main | undefined>;
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

/** What a verification found. Damage is told here; a fault says that the reading itself did not come to its end. */
export type VerifyReport = {
  /** Share of the stored bytes that was to be read. */
  readonly percent: number;
  readonly read_bytes: number;
  /** Of the whole content, `<algorithm>:<hex>`, as the protect recorded it, when all of it was read and is right. */
  readonly digest: string | null;
  /** The first of them: the object of the bank, what is wrong with it, what it hits. */
  readonly damages: readonly string[];
  readonly damage_count: number;
};

/** Ids and mover are those of the copy. `main` returns the saved info that the copy's checkpoint keeps. */
export interface CopyCall extends OperationCall {
  readonly source: { readonly providerId: string; readonly checkpointId: string };
  /** Of the source. */
  readonly saved: Json;
  /** Puts a snapshot of the source's bank into that of the copy; what is there already is not sent again. */
  copySnapshot(snapshot: string): Promise<Written>;
}

export interface DeleteCall extends OperationCall {
  /** Undefined when the protect never got as far as saving anything. */
  readonly saved: Json | undefined;
}

export interface UndeleteCall extends OperationCall {
  readonly saved: Json;
}

/** What the mover called `snapshot` and `kind` when it was written. */
export type Snapshot = Pick<Written, 'snapshot' | 'kind'>;

export interface Protection {
  readonly protect: Hooks<ProtectCall>;
  readonly restore: Hooks<RestoreCall>;
  /** Absent: this plugin cannot verify, and the request is refused. */
  readonly verify?: Hooks<VerifyCall, VerifyReport>;
  /** Absent: this plugin cannot copy, and the request is refused. `abandon` takes back what `main` made. */
  readonly copy?: Hooks<CopyCall>;
  readonly delete: Hooks<DeleteCall>;
  /** Takes a deletion back as long as nothing is lost. Absent: what is deleted is gone, and the request is refused. */
  readonly undelete?: Hooks<UndeleteCall>;
  /**
   * The snapshot in which a resource's bytes lie, so that files and ranges can be read out of it without a restore. Undefined where it has none;
   * absent: nothing of this plugin can be looked into. Throws `corrupt` for saved info that is not its own.
   */
  snapshotOf?(saved: Json, resource: Resource): Snapshot | undefined;
  close(): Promise<void>;
}
