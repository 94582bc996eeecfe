/** A thing that can be protected. Equal type, id and name mean the same resource. */
export interface Resource {
  readonly type: string;
  readonly id: string;
  readonly name: string;
  readonly extra_info?: Readonly<Record<string, unknown>> | null;
}

/** On whose behalf a plugin looks things up. */
export interface ProtectableRequest {
  readonly projectId: string;
  readonly userId: string;
  /** The caller's own token; absent where there is no identity service. Never stored. */
  readonly token?: string;
  /** The `parameters` query of the API, already parsed. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal;
}

export interface Protectable {
  /** Every usable resource of this type that the project may protect. */
  list(request: ProtectableRequest): Promise<Resource[]>;
  /** One resource; undefined when there is none of that id. */
  find(id: string, request: ProtectableRequest): Promise<Resource | undefined>;
  /** Resources of this type that hang under the given parent. */
  listDependents(parent: Resource, request: ProtectableRequest): Promise<Resource[]>;
  close(): Promise<void>;
}
