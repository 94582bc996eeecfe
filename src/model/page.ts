/** One page of a list, as the stores are asked for it. Checked and completed by the API before it gets here. */
export interface PageQuery {
  readonly limit: number;
  /** Id of the last item of the page before. */
  readonly marker?: string;
  readonly offset?: number;
  /** Never empty; the id is always the last tie-break. Keys are the noun's own field names in wire form. */
  readonly sort: readonly SortKey[];
  /** Wire name → wanted value; the noun's store knows which of them match exactly and which by pattern. */
  readonly filters: Readonly<Record<string, unknown>>;
  /** Undefined: every project (an administrator asked for all tenants). */
  readonly projectId?: string;
}

export interface SortKey {
  readonly key: string;
  readonly direction: 'asc' | 'desc';
}

export interface Page<Item> {
  readonly items: readonly Item[];
}
