import type { FastifyRequest } from 'fastify';
import { type TProperties, Type } from 'typebox';
import { Fault } from '../base/faults.ts';
import { canonicalUuid, isUuidLike } from '../base/ids.ts';
import type { Caller } from '../model/caller.ts';
import type { PageQuery, SortKey } from '../model/page.ts';
import { parseLiteral } from './literal.ts';

/** What a list of one noun understands. */
export interface ListRules {
  /** Wire names that callers may sort by; undefined: any is accepted and none but `created_at` has a meaning. */
  readonly sortKeys?: readonly string[];
  /** Filters of ordinary users. Administrators may filter by any member. */
  readonly filters?: readonly string[];
  /** Whether `all_tenants` of an ordinary user is looked at, so that nonsense is refused; it has no effect either way. */
  readonly readsTenants?: boolean;
}

const pageMembers = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, description: 'Page size; more than the server allows is reduced to what it allows.' }),
  ),
  marker: Type.Optional(Type.String({ description: 'Id of the last item of the page before.' })),
  sort: Type.Optional(
    Type.String({
      description: 'Comma list of `key[:asc|desc]`; default `created_at:desc`.',
      examples: ['name:asc,created_at:desc'],
    }),
  ),
  sort_key: Type.Optional(Type.String({ description: 'Older form of `sort`: one key.' })),
  sort_dir: Type.Optional(Type.String({ description: 'Older form of `sort`: `asc` or `desc`.' })),
};

const offsetMember = { offset: Type.Optional(Type.Integer({ minimum: 0, description: 'Items to skip.' })) };

const tenantMembers = {
  all_tenants: Type.Optional(
    Type.String({ description: 'Boolean text; every project, for administrators.', examples: ['true'] }),
  ),
  project_id: Type.Optional(Type.String({ description: 'With `all_tenants`, for administrators: this project alone.' })),
};

/** Paging of what is configuration or belongs to another service: no offset, no projects. */
export function pageQuerySchema<P extends TProperties>(filters: P) {
  return Type.Object({ ...pageMembers, ...filters });
}

/** Paging of what projects own in the bank. */
export function projectPageQuerySchema<P extends TProperties>(filters: P) {
  return Type.Object({ ...pageMembers, ...tenantMembers, ...filters });
}

/** Paging of what projects own in the database. */
export function tablePageQuerySchema<P extends TProperties>(filters: P) {
  return Type.Object({ ...pageMembers, ...offsetMember, ...tenantMembers, ...filters });
}

/** A filter's place in a query schema. */
export function filterText(description: string) {
  return Type.Optional(Type.String({ description }));
}

/** The members that every list reads itself; the rest of a query are filters. */
const ownMembers: ReadonlySet<string> = new Set(Object.keys({ ...pageMembers, ...offsetMember, ...tenantMembers }));

export interface RawPageQuery {
  readonly limit?: number;
  readonly marker?: string;
  readonly offset?: number;
  readonly sort?: string;
  readonly sort_key?: string;
  readonly sort_dir?: string;
  readonly all_tenants?: string;
  readonly project_id?: string;
}

/**
 * The page that a query asks for, completed: limit capped, sort never empty and ended by the id, project decided.
 * @throws invalid for a bad sort or `all_tenants`; not-found for a marker that can be no id
 */
export function readPage(query: RawPageQuery, rules: ListRules, caller: Caller, maxLimit: number): PageQuery {
  const projectId = readProject(query, rules, caller);
  return {
    limit: readLimit(query, maxLimit),
    ...(query.marker === undefined ? {} : { marker: readMarker(query.marker) }),
    // A number only where the list's schema has made one of it; elsewhere an offset is text, and ignored.
    ...(typeof query.offset === 'number' ? { offset: query.offset } : {}),
    sort: readSort(query, rules),
    filters: readFilters(query, rules, caller),
    ...(projectId === undefined ? {} : { projectId }),
  };
}

export function readLimit(query: RawPageQuery, maxLimit: number): number {
  return Math.min(query.limit ?? maxLimit, maxLimit);
}

function readMarker(marker: string): string {
  if (isUuidLike(marker)) return canonicalUuid(marker);
  throw new Fault('not-found', 'page.unknown_marker', `Marker ${marker} could not be found.`);
}

/** @throws invalid `page.bad_sort` */
export function readSort(query: RawPageQuery, rules: ListRules): SortKey[] {
  const { sort, sort_key: key, sort_dir: direction } = query;
  const older = key !== undefined || direction !== undefined;
  if (sort !== undefined && older) throw badSort('sort cannot be combined with sort_key and sort_dir.', 'Use sort alone.');
  const parts = (sort ?? (older ? `${key ?? 'created_at'}:${direction ?? 'desc'}` : 'created_at:desc')).split(',');
  const keys = parts.map((part) => readSortKey(part, rules));
  const first = keys[0]?.direction ?? 'desc';
  return keys.some((each) => each.key === 'id') ? keys : [...keys, { key: 'id', direction: first }];
}

function readSortKey(part: string, { sortKeys }: ListRules): SortKey {
  const [key = '', direction = 'desc'] = part.split(':').map((piece) => piece.trim());
  if (direction !== 'asc' && direction !== 'desc') throw badSort(`Sort direction "${direction}" is unknown.`, 'Use asc or desc.');
  if (sortKeys !== undefined && !sortKeys.includes(key)) {
    throw badSort(`Sort key "${key}" is unknown.`, `Use one of ${sortKeys.join(', ')}.`);
  }
  return { key, direction };
}

function badSort(message: string, help: string): Fault {
  return new Fault('invalid', 'page.bad_sort', message, { help });
}

/** Undefined: every project. An ordinary user's wish for other projects is dropped. */
function readProject(query: RawPageQuery, { readsTenants }: ListRules, caller: Caller): string | undefined {
  if (query.all_tenants === undefined || !(caller.isAdmin || readsTenants)) return caller.projectId;
  const allTenants = readBoolean('all_tenants', query.all_tenants);
  return allTenants && caller.isAdmin ? query.project_id : caller.projectId;
}

function readBoolean(field: string, text: string): boolean {
  const word = text.toLowerCase();
  if (['1', 'true', 'yes', 'y'].includes(word)) return true;
  if (['0', 'false', 'no', 'n'].includes(word)) return false;
  throw new Fault('invalid', 'page.bad_boolean', `${field} is "${text}", which is no boolean.`, { help: 'Use true or false.' });
}

function readFilters(query: RawPageQuery, { filters = [] }: ListRules, caller: Caller): Record<string, unknown> {
  const found: [string, unknown][] = [];
  for (const [key, value] of Object.entries(query)) {
    if (ownMembers.has(key) || !(caller.isAdmin || filters.includes(key))) continue;
    found.push([key, typeof value === 'string' ? (parseLiteral(value) ?? value) : value]);
  }
  return Object.fromEntries(found);
}

export const linksSchema = Type.Array(Type.Object({ rel: Type.Literal('next'), href: Type.String() }, { $id: 'Link' }), {
  description: 'The next page. Absent when there is none.',
});

interface NextLink {
  rel: 'next';
  href: string;
}

/** `{ plans_links: [...] }` when the page is full, else nothing: a last page that is exactly full has a link too. */
export function nextLink<Key extends string>(
  request: FastifyRequest,
  key: Key,
  items: readonly { readonly id: string }[],
  limit: number,
): { [K in Key]?: NextLink[] } {
  const last = items.at(-1);
  if (last === undefined || items.length < limit) return {};
  const url = new URL(request.originalUrl, request.baseUrl);
  url.searchParams.set('marker', last.id);
  // The marker is already behind what was skipped; skipping again would lose items.
  url.searchParams.delete('offset');
  const link: NextLink = { rel: 'next', href: `${request.baseUrl}${url.pathname}${url.search}` };
  return { [key]: [link] } as { [K in Key]?: NextLink[] };
}
