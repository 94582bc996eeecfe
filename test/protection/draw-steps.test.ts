import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HookName } from '../../src/plugin/protection.ts';
import { drawSteps, type StepInput } from '../../src/protection/draw-steps.ts';
import type { GraphNode, ResourceGraph } from '../../src/protection/resource-graph.ts';

const hooks: readonly HookName[] = ['prepareBegin', 'prepareFinish', 'main', 'complete'];

function node(key: number, children: readonly number[]): GraphNode {
  return {
    key: `0x${key}`,
    type: 'T',
    id: `${key}`,
    name: `n${key}`,
    extraInfo: null,
    children: children.map((child) => `0x${child}`),
  };
}

/** Any acyclic graph: a node's children are among those before it. */
const graphs = fc
  .array(fc.array(fc.nat(7), { maxLength: 3 }), { minLength: 1, maxLength: 8 })
  .map((lists): ResourceGraph => lists.map((list, i) => node(i, [...new Set(list.filter((child) => child < i))])));

/** Every order the drawn steps force: step → all steps that are over before it. */
function closure(steps: ReturnType<typeof drawSteps>): Map<number, Set<number>> {
  const before = new Map<number, Set<number>>();
  for (const step of steps) {
    const all = new Set<number>();
    for (const number of step.after) for (const earlier of [number, ...(before.get(number) ?? [])]) all.add(earlier);
    before.set(step.number, all);
  }
  return before;
}

describe('drawing the steps of an operation', () => {
  test('keeps every order that Karbor promises, and no order between mains, whatever hooks are missing', () => {
    fc.assert(
      fc.property(graphs, fc.array(fc.boolean(), { minLength: 32, maxLength: 32 }), (graph, present) => {
        const has = (n: GraphNode, hook: HookName): boolean => present[Number(n.id) * 4 + hooks.indexOf(hook)] ?? true;
        const steps = drawSteps({ graph, has, announce: true, pre: 'stop', post: 'start' });
        const before = closure(steps);
        const at = (key: string, hook: HookName) =>
          steps.find(({ input }) => {
            const what = input as StepInput;
            return what.do === 'hook' && what.node === key && what.hook === hook;
          })?.number;
        const ordered = (first: number | undefined, then: number | undefined): void => {
          if (first !== undefined && then !== undefined) expect(before.get(then)).toContain(first);
        };
        for (const n of graph) {
          for (const hook of hooks) expect(at(n.key, hook) !== undefined).toBe(has(n, hook));
          ordered(at(n.key, 'prepareBegin'), at(n.key, 'prepareFinish'));
          ordered(at(n.key, 'prepareFinish'), at(n.key, 'main'));
          ordered(at(n.key, 'main'), at(n.key, 'complete'));
          for (const child of n.children) {
            ordered(at(n.key, 'prepareBegin'), at(child, 'prepareBegin'));
            ordered(at(child, 'prepareFinish'), at(n.key, 'prepareFinish'));
            ordered(at(child, 'complete'), at(n.key, 'complete'));
          }
        }
        const mains = graph.map((n) => at(n.key, 'main')).filter((number) => number !== undefined);
        for (const a of mains) for (const b of mains) expect(before.get(a)?.has(b) ?? false).toBe(false);

        // The command before comes before every hook, the one after comes after every main and whatever happened.
        const pre = steps.find(({ name }) => name === 'command stop')?.number;
        const post = steps.find(({ name }) => name === 'command start');
        expect(post?.always).toBe(true);
        for (const step of steps) if ((step.input as StepInput).do === 'hook') ordered(pre, step.number);
        for (const main of mains) ordered(main, post?.number);
      }),
    );
  });

  test('without any hook nothing is left but announcing', () => {
    const steps = drawSteps({ graph: [node(0, [])], has: () => false, announce: true });
    expect(steps.map(({ name }) => name)).toEqual(['announce']);
  });
});
