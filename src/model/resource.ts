/** A resource as a plan names it. `extraInfo` is absent when the client gave none. */
export interface PlanResource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly extraInfo?: Readonly<Record<string, unknown>>;
}

/** `TYPE` or `TYPE#ID` → option → text. Values are stringified as Karbor does it: `true` is `"True"`, `3` is `"3"`. */
export type Parameters = Readonly<Record<string, Readonly<Record<string, string>>>>;
