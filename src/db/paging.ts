import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import { canonicalUuid, isUuidLike } from '../base/ids.ts';
import type { PageQuery, SortKey } from '../model/page.ts';

/** A column as lists know it, under its wire name. */
export interface ListColumn {
  readonly column: string;
  readonly kind: 'text' | 'uuid' | 'time';
  readonly nullable?: boolean;
  /** `pattern`: a regular expression anywhere in the text, by the database's own rules. Default `exact`; times are no filters. */
  readonly match?: 'pattern';
}

export interface ListShape {
  readonly table: string;
  /** For messages: `plan`. */
  readonly noun: string;
  /** Wire name → column; what may be sorted and filtered by. */
  readonly columns: Readonly<Record<string, ListColumn>>;
  /** Rows with `deleted_at` are kept but not listed. */
  readonly softDeleted: boolean;
  /** A filter on what is no column: left out, or it matches nothing (the sheet has both). */
  readonly unknownFilter: 'ignored' | 'nothing';
}

interface Term extends ListColumn {
  readonly direction: 'asc' | 'desc';
}

/**
 * One page. It begins behind the marker's own place in the order, not behind a count of rows, so that with an index
 * any page costs what the first does. The marker may have been deleted meanwhile: one can page and delete.
 * @throws invalid `page.bad_sort`, `db.bad_pattern`; not-found `page.unknown_marker`
 */
export async function listRows<Row>(knex: Knex, shape: ListShape, page: PageQuery): Promise<Row[]> {
  const terms = sortTerms(shape, page.sort);
  const ofProject = page.projectId === undefined ? {} : { project_id: page.projectId };
  const list: Knex.QueryBuilder = knex(shape.table).where(ofProject);
  if (shape.softDeleted) list.whereNull('deleted_at');
  for (const [key, value] of Object.entries(page.filters)) {
    const column = shape.columns[key];
    if (column === undefined && shape.unknownFilter === 'ignored') continue;
    if (column === undefined || !filter(list, column, value)) return [];
  }
  if (page.marker !== undefined) {
    const columns = terms.map(({ column }) => column);
    const marker: Record<string, unknown> | undefined = isUuidLike(page.marker)
      ? await knex(shape.table)
          .where({ id: page.marker, ...ofProject })
          .first(columns)
      : undefined;
    if (marker === undefined) {
      throw new Fault('not-found', 'page.unknown_marker', `The marker ${page.marker} names no ${shape.noun}.`, {
        help: 'Give the id of the last item of the page before.',
      });
    }
    startAfter(list, terms, marker);
  }
  list.orderBy(terms.map(({ column, direction }) => ({ column, order: direction }))).limit(page.limit);
  if (page.offset !== undefined) list.offset(page.offset);
  const rows: unknown = await list.select(`${shape.table}.*`);
  return rows as Row[];
}

function sortTerms(shape: ListShape, sort: readonly SortKey[]): Term[] {
  const terms = sort.map(({ key, direction }): Term => {
    const column = shape.columns[key];
    if (column === undefined) {
      throw new Fault('invalid', 'page.bad_sort', `A list of ${shape.noun}s cannot be sorted by "${key}".`, {
        details: { allowed: Object.keys(shape.columns).join(', ') },
        help: `Sort by one of: ${Object.keys(shape.columns).join(', ')}.`,
      });
    }
    return { ...column, direction };
  });
  // The id goes the way of the first key: then one index, read forwards or backwards, gives the whole order.
  if (terms.some(({ column }) => column === 'id')) return terms;
  return [...terms, { column: 'id', kind: 'uuid', direction: terms[0]?.direction ?? 'desc' }];
}

/** False: nothing can match. */
function filter(list: Knex.QueryBuilder, { column, kind, match }: ListColumn, value: unknown): boolean {
  if (kind === 'time') return false;
  if (value === null) {
    list.whereNull(column);
    return true;
  }
  if (match === 'pattern') {
    list.whereRaw('?? ~ ?', [column, asText(value)]);
    return true;
  }
  const wanted = (Array.isArray(value) ? value : [value]).map(asText);
  const possible = kind === 'uuid' ? wanted.filter(isUuidLike).map(canonicalUuid) : wanted;
  list.whereIn(column, possible);
  return possible.length > 0;
}

function asText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function startAfter(list: Knex.QueryBuilder, terms: readonly Term[], marker: Readonly<Record<string, unknown>>): void {
  const first = terms[0];
  if (terms.every(({ nullable, direction }) => !nullable && direction === first?.direction)) {
    // A comparison of rows is what the planner answers from one place of an index.
    const places = terms.map(() => '??').join(', ');
    const values = terms.map(() => '?').join(', ');
    const sign = first?.direction === 'asc' ? '>' : '<';
    const columns = terms.map(({ column }) => column);
    list.whereRaw(`(${places}) ${sign} (${values})`, [...columns, ...columns.map((column) => marker[column] as Knex.Value)]);
    return;
  }
  list.where((behind) => {
    for (const [index, term] of terms.entries()) {
      behind.orWhere((place) => {
        for (const { column } of terms.slice(0, index)) equals(place, column, marker[column]);
        follows(place, term, marker[term.column]);
      });
    }
  });
}

function equals(place: Knex.QueryBuilder, column: string, value: unknown): void {
  if (value === null) place.whereNull(column);
  else place.where(column, value as Knex.Value);
}

/** PostgreSQL puts null behind everything when ascending, before everything when descending. */
function follows(place: Knex.QueryBuilder, { column, direction, nullable }: Term, value: unknown): void {
  if (direction === 'asc') {
    if (value === null) place.whereRaw('false');
    else
      place.where((behind) =>
        nullable
          ? behind.where(column, '>', value as Knex.Value).orWhereNull(column)
          : behind.where(column, '>', value as Knex.Value),
      );
  } else if (value === null) place.whereNotNull(column);
  else place.where(column, '<', value as Knex.Value);
}
