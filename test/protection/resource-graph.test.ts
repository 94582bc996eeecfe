import { describe, expect, test } from 'vitest';
import type { ResourceRef } from '../../src/model/protectable.ts';
import { buildResourceGraph, decodeResourceGraph, encodeResourceGraph } from '../../src/protection/resource-graph.ts';

const resource = (id: string): ResourceRef => ({
  type: 'T',
  id,
  name: `name-${id}`,
  extraInfo: id === 'a' ? { zone: 'z' } : null,
});
const listing = (children: Record<string, string[]>) => (parent: ResourceRef) =>
  Promise.resolve((children[parent.id] ?? []).map(resource));

describe('the resource graph', () => {
  test('has every resource once, children before their parents, as Karbor writes it', async () => {
    const graph = await buildResourceGraph([resource('s'), resource('a')], listing({ s: ['a', 'b'] }));
    expect(encodeResourceGraph(graph)).toBe(
      '[{"0x0":["T","a","name-a",{"zone":"z"}],"0x1":["T","b","name-b",null],"0x2":["T","s","name-s",null]},[["0x2",["0x0","0x1"]]]]',
    );
    expect(decodeResourceGraph(encodeResourceGraph(graph))).toEqual(graph);
  });

  test('shares a child between two parents', async () => {
    const graph = await buildResourceGraph([resource('p'), resource('q')], listing({ p: ['c'], q: ['c'] }));
    expect(graph.map(({ id, children }) => [id, children])).toEqual([
      ['c', []],
      ['p', ['0x0']],
      ['q', ['0x0']],
    ]);
  });

  test('refuses a loop', async () => {
    await expect(buildResourceGraph([resource('p')], listing({ p: ['c'], c: ['p'] }))).rejects.toMatchObject({
      kind: 'invalid',
      code: 'protection.graph_loop',
    });
  });

  test('a listing that fails is an error, not a smaller checkpoint', async () => {
    await expect(buildResourceGraph([resource('p')], () => Promise.reject(new Error('the cloud is away')))).rejects.toThrow(
      'the cloud is away',
    );
  });

  test('reads the extra information that Karbor wrote as text, and names damage', () => {
    expect(decodeResourceGraph('[{"0x0":["T","a","n","{\\"zone\\": \\"z\\"}"]},[]]')[0]?.extraInfo).toEqual({ zone: 'z' });
    expect(() => decodeResourceGraph('[{"0x0":')).toThrow(
      expect.objectContaining({ kind: 'corrupt', code: 'protection.graph_damaged' }),
    );
  });
});
