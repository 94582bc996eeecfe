/** A bank with the protection plugins configured for it. */
export interface Provider {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Type → published JSON Schema; one map per member of Karbor's `extended_info_schema`, and `verify` beside them. */
  readonly schemas: {
    readonly options: Readonly<Record<string, unknown>>;
    readonly restore: Readonly<Record<string, unknown>>;
    readonly savedInfo: Readonly<Record<string, unknown>>;
    readonly verify: Readonly<Record<string, unknown>>;
  };
}
