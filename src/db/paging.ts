import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import { canonicalUuid, isUuidLike } from '../base/ids.ts';
import type { PageQuery, SortKey } from '../model/page.ts';
import { findReadLane } from './connect.ts';

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

/** A piece of SQL with `??` for names and `?` for values, in their order. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/**
 * One page of what also meets `conditions`. It begins behind the marker's own place in the order, not behind a count of rows, so that with an index
 * any page costs what the first does. The marker may have been deleted meanwhile: one can page and delete.
 * @throws invalid `page.bad_sort`, `db.bad_pattern`; not-found `page.unknown_marker`
 */
export async function listRows<Row>(
  knex: Knex,
  shape: ListShape,
  page: PageQuery,
  conditions: readonly Condition[] = [],
): Promise<Row[]> {
  const terms = sortTerms(shape, page.sort);
  const ofProject = page.projectId === undefined ? {} : { project_id: page.projectId };
  const wanted: Condition[] = Object.entries(page.filters).map(([key, value]) => filter(shape, key, value));
  if (shape.softDeleted) wanted.push(isNull('deleted_at'));
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
    wanted.push(behind(terms, marker));
  }
  const { sql, values } = all([...conditions, ...wanted]);
  const statement = knex(shape.table)
    .where(ofProject)
    .whereRaw(sql, [...values] as Knex.RawBinding[])
    .orderBy(terms.map(({ column, direction }) => ({ column, order: direction })))
    .limit(page.limit)
    .offset(page.offset ?? 0)
    .select(`${shape.table}.*`);
  return (await read(knex, statement, isShort(page))) as Row[];
}

async function read(knex: Knex, statement: Knex.QueryBuilder, short: boolean): Promise<unknown> {
  const lane = short ? findReadLane(knex) : undefined;
  if (lane === undefined) return statement;
  const { sql, bindings } = statement.toSQL().toNative();
  return (await lane.read(sql, bindings)) ?? statement;
}

/** Whether an index answers this page at once: one project's, in the order that every list has an index for, and nothing is searched or skipped. */
function isShort({ projectId, filters, sort, offset = 0 }: PageQuery): boolean {
  const order = sort.map(({ key }) => key).join();
  return projectId !== undefined && offset === 0 && Object.keys(filters).length === 0 && order === 'created_at,id';
}

function sortTerms(shape: ListShape, sort: readonly SortKey[]): Term[] {
  const allowed = Object.keys(shape.columns).join(', ');
  const terms = sort.map(({ key, direction }): Term => {
    const column = shape.columns[key];
    if (column !== undefined) return { ...column, direction };
    throw new Fault('invalid', 'page.bad_sort', `A list of ${shape.noun}s cannot be sorted by "${key}".`, {
      details: { allowed },
      help: `Sort by one of: ${allowed}.`,
    });
  });
  // The id goes the way of the first key: then one index, read forwards or backwards, gives the whole order.
  if (terms.some(({ column }) => column === 'id')) return terms;
  return [...terms, { column: 'id', kind: 'uuid', direction: terms[0]?.direction ?? 'desc' }];
}

function filter(shape: ListShape, key: string, value: unknown): Condition {
  const known = shape.columns[key];
  if (known === undefined) return shape.unknownFilter === 'ignored' ? always : never;
  const { column, kind, match } = known;
  if (kind === 'time') return never;
  if (value === null) return isNull(column);
  if (match === 'pattern') return { sql: '?? ~ ?', values: [column, asText(value)] };
  const wanted = (Array.isArray(value) ? value : [value]).map(asText);
  return { sql: '?? = any(?)', values: [column, kind === 'uuid' ? wanted.filter(isUuidLike).map(canonicalUuid) : wanted] };
}

function asText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** What comes after the marker in the order of the terms. */
function behind(terms: readonly Term[], marker: Readonly<Record<string, unknown>>): Condition {
  const first = terms[0];
  if (terms.every(({ nullable, direction }) => !nullable && direction === first?.direction)) {
    // A comparison of rows is what the planner answers from one place of an index.
    const columns = terms.map(({ column }) => column);
    const sql = `(${columns.map(() => '??').join(', ')}) ${first?.direction === 'asc' ? '>' : '<'} (${columns.map(() => '?').join(', ')})`;
    return { sql, values: [...columns, ...columns.map((column) => marker[column])] };
  }
  const places = terms.map((term, index) => {
    const equal = terms.slice(0, index).map(({ column }) => equals(column, marker[column]));
    return all([...equal, follows(term, marker[term.column])]);
  });
  return join(places, ' or ');
}

function equals(column: string, value: unknown): Condition {
  return value === null ? isNull(column) : { sql: '?? = ?', values: [column, value] };
}

/** PostgreSQL puts null behind everything when ascending, before everything when descending. */
function follows({ column, direction, nullable }: Term, value: unknown): Condition {
  if (direction === 'desc') {
    return value === null ? { sql: '?? is not null', values: [column] } : { sql: '?? < ?', values: [column, value] };
  }
  if (value === null) return never;
  const greater = { sql: '?? > ?', values: [column, value] };
  return nullable ? join([greater, isNull(column)], ' or ') : greater;
}

const always: Condition = { sql: 'true', values: [] };
const never: Condition = { sql: 'false', values: [] };

function isNull(column: string): Condition {
  return { sql: '?? is null', values: [column] };
}

function all(conditions: readonly Condition[]): Condition {
  return conditions.length === 0 ? always : join(conditions, ' and ');
}

function join(conditions: readonly Condition[], word: ' and ' | ' or '): Condition {
  return { sql: conditions.map(({ sql }) => `(${sql})`).join(word), values: conditions.flatMap(({ values }) => values) };
}
