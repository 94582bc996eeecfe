import { Fault } from '../base/faults.ts';
import type { ResourceRef } from '../model/protectable.ts';

/** One resource of a graph. `key` is Karbor's: a hexadecimal counter, children first. */
export interface GraphNode extends ResourceRef {
  readonly key: string;
  readonly children: readonly string[];
}

/** Every node once, children before their parents. */
export type ResourceGraph = readonly GraphNode[];

export function resourceKey(resource: { type: string; id: string }): string {
  return `${resource.type}#${resource.id}`;
}

/**
 * Walks depth-first from the plan's resources. A resource met again when it is finished is shared between its parents; one
 * met again while it is still open is a loop, and the protect is refused. Unlike Karbor's, a listing that fails is an
 * error: a checkpoint that silently lacks children is worse than none.
 */
export async function buildResourceGraph(
  roots: readonly ResourceRef[],
  listDependents: (parent: ResourceRef) => Promise<readonly ResourceRef[]>,
): Promise<ResourceGraph> {
  const nodes: GraphNode[] = [];
  const keys = new Map<string, string | 'open'>();

  const visit = async (resource: ResourceRef): Promise<string> => {
    const name = `${resourceKey(resource)} ${resource.name}`;
    const known = keys.get(name);
    if (known === 'open') {
      throw new Fault('invalid', 'protection.graph_loop', `${resourceKey(resource)} depends on itself in the resource graph.`);
    }
    if (known !== undefined) return known;
    keys.set(name, 'open');
    const children: string[] = [];
    for (const child of await listDependents(resource)) children.push(await visit(child));
    const key = `0x${nodes.length.toString(16)}`;
    nodes.push({ ...resource, key, children });
    keys.set(name, key);
    return key;
  };

  for (const root of roots) await visit(root);
  return nodes;
}

/** Karbor's JSON text: `[{key: [type, id, name, extra_info]}, [[parent, [children]], …]]`. */
export function encodeResourceGraph(graph: ResourceGraph): string {
  const nodes = Object.fromEntries(graph.map((n) => [n.key, [n.type, n.id, n.name, n.extraInfo]]));
  const adjacency = graph.filter((n) => n.children.length > 0).map((n) => [n.key, n.children]);
  return JSON.stringify([nodes, adjacency]);
}

/** @throws {Fault} corrupt `protection.graph_damaged` when the text is none of ours */
export function decodeResourceGraph(text: string): ResourceGraph {
  try {
    const [nodes, adjacency] = JSON.parse(text) as [
      Record<string, [string, string, string, ResourceRef['extraInfo'] | string]>,
      [string, string[]][],
    ];
    const children = new Map(adjacency);
    return Object.entries(nodes).map(([key, [type, id, name, extra]]) => ({
      key,
      type,
      id,
      name,
      // Karbor itself wrote JSON text here for resources that came from the plan's own list.
      extraInfo: typeof extra === 'string' ? (JSON.parse(extra) as ResourceRef['extraInfo']) : extra,
      children: children.get(key) ?? [],
    }));
  } catch (cause) {
    throw new Fault('corrupt', 'protection.graph_damaged', 'The resource graph of the checkpoint cannot be read.', { cause });
  }
}
