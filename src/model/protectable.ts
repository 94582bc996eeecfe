export interface ProtectableType {
  readonly name: string;
  readonly dependentTypes: readonly string[];
}

export interface ResourceRef {
  readonly type: string;
  readonly id: string;
  readonly name: string;
  readonly extraInfo: Readonly<Record<string, unknown>> | null;
}

export interface ProtectableInstance extends ResourceRef {
  /** One level deep. */
  readonly dependentResources: readonly ResourceRef[];
}
