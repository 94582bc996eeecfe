import type { NewStep } from '../db/operation-store.ts';
import type { HookName } from '../plugin/protection.ts';
import { type GraphNode, type ResourceGraph, resourceKey } from './resource-graph.ts';

/** What a step of a flow is for; kept in the step's row. */
export type StepInput =
  | { readonly do: 'announce' }
  | { readonly do: 'command'; readonly phase: 'pre' | 'post'; readonly name: string }
  | { readonly do: 'hook'; readonly hook: HookName; readonly node: string };

const hookNames: readonly HookName[] = ['prepareBegin', 'prepareFinish', 'main', 'complete'];

export interface DrawOptions {
  readonly graph: ResourceGraph;
  /** Does the plugin of this node offer the hook? A hook it lacks is no step, but order flows through it. */
  readonly has: (node: GraphNode, hook: HookName) => boolean;
  /** The first step of all tells the bank what begins. */
  readonly announce: boolean;
  /** Commands of the operator's list around everything that touches the resources before their bytes are safe. */
  readonly pre?: string | undefined;
  readonly post?: string | undefined;
}

/**
 * Draws the steps of an operation. For every edge parent → child: parent.prepareBegin, child.prepareBegin;
 * child.prepareFinish, parent.prepareFinish; child.complete, parent.complete. Mains have no order between resources.
 */
export function drawSteps({ graph, has, announce, pre, post }: DrawOptions): NewStep[] {
  const place = (node: string, hook: HookName): string => `${node}.${hook}`;
  const before = new Map<string, string[]>();
  for (const node of graph) {
    before.set(place(node.key, 'prepareBegin'), []);
    before.set(place(node.key, 'prepareFinish'), [place(node.key, 'prepareBegin')]);
    before.set(place(node.key, 'main'), [place(node.key, 'prepareFinish')]);
    before.set(place(node.key, 'complete'), [place(node.key, 'main')]);
  }
  for (const parent of graph) {
    for (const child of parent.children) {
      before.get(place(child, 'prepareBegin'))?.push(place(parent.key, 'prepareBegin'));
      before.get(place(parent.key, 'prepareFinish'))?.push(place(child, 'prepareFinish'));
      before.get(place(parent.key, 'complete'))?.push(place(child, 'complete'));
    }
  }

  const steps: NewStep[] = [];
  const add = (name: string, input: StepInput, after: readonly number[], always = false): number => {
    steps.push({ number: steps.length, name, input: { ...input }, after, always });
    return steps.length - 1;
  };

  let first: number[] = [];
  if (announce) first = [add('announce', { do: 'announce' }, [])];
  if (pre !== undefined) first = [add(`command ${pre}`, { do: 'command', phase: 'pre', name: pre }, first)];

  // Places in an order in which every predecessor comes first; a place without a hook stands for its own predecessors.
  const nodes = new Map(graph.map((node) => [node.key, node]));
  const ends = new Map<string, readonly number[]>();
  const resolve = (at: string): readonly number[] => {
    const known = ends.get(at);
    if (known) return known;
    const after = [...new Set((before.get(at) ?? []).flatMap(resolve))].sort((a, b) => a - b);
    const dot = at.lastIndexOf('.');
    const node = nodes.get(at.slice(0, dot));
    const hook = at.slice(dot + 1) as HookName;
    const end =
      node && has(node, hook)
        ? [add(`${resourceKey(node)} ${hook}`, { do: 'hook', hook, node: node.key }, after.length > 0 ? after : first)]
        : after;
    ends.set(at, end);
    return end;
  };
  for (const hook of hookNames) for (const node of graph) resolve(place(node.key, hook));

  if (post !== undefined) {
    const mains = [...new Set(graph.flatMap((node) => ends.get(place(node.key, 'main')) ?? []))];
    add(`command ${post}`, { do: 'command', phase: 'post', name: post }, [...new Set([...first, ...mains])], true);
  }
  return steps;
}
