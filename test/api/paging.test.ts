import { describe, expect, test } from 'vitest';
import { type ListRules, type RawPageQuery, readPage } from '../../src/api/paging.ts';
import type { Caller } from '../../src/model/caller.ts';

const rules: ListRules = { sortKeys: ['created_at', 'id', 'name', 'status'], filters: ['name', 'status'] };
const member: Caller = { userId: 'u', projectId: 'p1', roles: ['member'], isAdmin: false, requestId: 'req-1' };
const admin: Caller = { ...member, roles: ['admin'], isAdmin: true };
const read = (query: RawPageQuery & { name?: string; status?: string; color?: string }, caller = member) =>
  readPage(query, rules, caller, 100);

describe('a page query', () => {
  test('is complete when nothing is asked', () => {
    expect(read({})).toEqual({
      limit: 100,
      sort: [
        { key: 'created_at', direction: 'desc' },
        { key: 'id', direction: 'desc' },
      ],
      filters: {},
      projectId: 'p1',
    });
  });

  test('is capped at the limit of the server', () => {
    expect(read({ limit: 5000 }).limit).toBe(100);
    expect(read({ limit: 7 }).limit).toBe(7);
  });

  test.each<[RawPageQuery, string]>([
    [{ sort: 'name' }, 'name:desc id:desc'],
    [{ sort: 'name:asc,status' }, 'name:asc status:desc id:asc'],
    [{ sort: ' name : asc ' }, 'name:asc id:asc'],
    [{ sort: 'id:asc' }, 'id:asc'],
    [{ sort_key: 'name' }, 'name:desc id:desc'],
    [{ sort_key: 'name', sort_dir: 'asc' }, 'name:asc id:asc'],
    [{ sort_dir: 'asc' }, 'created_at:asc id:asc'],
  ])('%j sorts by %s', (query, expected) => {
    expect(
      read(query)
        .sort.map(({ key, direction }) => `${key}:${direction}`)
        .join(' '),
    ).toBe(expected);
  });

  test.each<RawPageQuery>([
    { sort: 'name:up' },
    { sort: 'size' },
    { sort: '' },
    { sort_key: 'size' },
    { sort: 'name', sort_dir: 'asc' },
  ])('%j is refused', (query) => {
    expect(() => read(query)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'page.bad_sort' }));
  });

  test('a marker is canonical, and what can be no id is unknown', () => {
    expect(read({ marker: '2F0C9E647A1D4C1B9F358D6F0A4B7E11' }).marker).toBe('2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11');
    expect(() => read({ marker: 'x' })).toThrow(expect.objectContaining({ kind: 'not-found' }));
  });

  test.each<[string, RawPageQuery, Caller, string | undefined]>([
    ['own', {}, admin, 'p1'],
    ['every', { all_tenants: 'True' }, admin, undefined],
    ['one', { all_tenants: '1', project_id: 'p2' }, admin, 'p2'],
    ['own without all_tenants', { project_id: 'p2' }, admin, 'p1'],
    ['own with all_tenants=no', { all_tenants: 'no', project_id: 'p2' }, admin, 'p1'],
    ['own for a member', { all_tenants: '1', project_id: 'p2' }, member, 'p1'],
    ['own for a member who writes nonsense', { all_tenants: 'nonsense' }, member, 'p1'],
  ])('project: %s', (_name, query, caller, expected) => {
    expect(read(query, caller).projectId).toBe(expected);
  });

  test('an administrator must write all_tenants as a boolean', () => {
    expect(() => read({ all_tenants: 'maybe' }, admin)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  test('filters are read as literals; unknown ones are dropped for members only', () => {
    const query = { name: '5', status: 'started', color: '[1]', limit: 3, project_id: 'p9' };
    expect(read(query).filters).toEqual({ name: 5, status: 'started' });
    expect(read(query, admin).filters).toEqual({ name: 5, status: 'started', color: [1] });
  });

  test('a filter that is no number, list, dictionary or boolean stays text', () => {
    expect(read({ name: 'None', status: 'web-1' }).filters).toEqual({ name: 'None', status: 'web-1' });
  });
});
