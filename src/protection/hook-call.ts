import type { Json } from '../base/canonical-json.ts';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/faults.ts';
import { canonicalUuid, isUuidLike } from '../base/ids.ts';
import type { StepRecord } from '../db/operation-store.ts';
import type { StepRun } from '../jobs/flow.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { Parameters } from '../model/resource.ts';
import type { HookName, Hooks, OperationCall } from '../plugin/protection.ts';
import type { StepInput } from './draw-steps.ts';
import { createMover, ownerOf } from './mover.ts';
import type { OpenProvider } from './provider-registry.ts';
import { type GraphNode, type ResourceGraph, resourceKey } from './resource-graph.ts';

/** What every operation's flow knows of itself; kept in the operation's row. */
export interface OperationInput {
  readonly projectId: string;
  readonly userId: string;
  readonly providerId: string;
  readonly checkpointId: string;
  readonly graph: ResourceGraph;
  readonly parameters: Parameters;
  readonly logId: string;
  /** The one that is made or unmade, as it is meanwhile; its snapshots are its own. */
  readonly checkpoint?: Checkpoint;
}

/** What a hook's step leaves in its row. */
export interface HookOutcome {
  readonly value: Json | null;
  readonly seconds: number;
}

/** Parameters of the type, overlaid by those of this very resource, however its id is spelt. */
export function parametersOf(parameters: Parameters, resource: { type: string; id: string }): Record<string, string> {
  const own = Object.entries(parameters).filter(([key]) => spell(key) === spell(resourceKey(resource)));
  return Object.assign({}, parameters[resource.type], ...own.map(([, values]) => values));
}

function spell(key: string): string {
  const [type = '', id] = key.split('#', 2);
  return id !== undefined && isUuidLike(id) ? `${type}#${canonicalUuid(id)}` : key;
}

/** The outcome of one hook of one resource, as far as its step is done. */
export function hookOutcome(steps: Iterable<StepRecord>, node: string, hook: HookName): HookOutcome | undefined {
  for (const step of steps) {
    const input = step.input as StepInput;
    if (input.do === 'hook' && input.node === node && input.hook === hook && step.state === 'done') {
      return (step.outcome as HookOutcome | null) ?? undefined;
    }
  }
  return undefined;
}

export function findMain(steps: readonly StepRecord[], node: string): StepRecord | undefined {
  return steps.find(({ input }) => {
    const what = input as StepInput;
    return what.do === 'hook' && what.node === node && what.hook === 'main';
  });
}

/** Why a resource did not get through: the fault of its own step, or that it was never reached. Undefined when it did. */
export function failureOf(steps: Iterable<StepRecord>, node: string): string | undefined {
  let dropped = false;
  for (const step of steps) {
    const input = step.input as StepInput;
    if (input.do !== 'hook' || input.node !== node) continue;
    if (step.state === 'failed') return step.error ?? 'It failed.';
    dropped ||= step.state !== 'done';
  }
  return dropped ? 'Not finished, because another part of the operation failed.' : undefined;
}

export async function buildCall(
  input: OperationInput,
  node: GraphNode,
  provider: OpenProvider,
  run: Pick<StepRun, 'signal' | 'log' | 'report' | 'steps' | 'stepId'>,
): Promise<OperationCall> {
  const outcomes: Partial<Record<HookName, Json>> = {};
  for (const hook of ['prepareBegin', 'prepareFinish', 'main', 'complete'] as const) {
    const outcome = hookOutcome(run.steps.values(), node.key, hook);
    if (outcome?.value != null) outcomes[hook] = outcome.value;
  }
  // Whoever protects makes it before the operation is written down; one that is gone since holds nothing to go on with.
  const repository = await provider.repository(input.projectId, { create: false });
  return {
    stepId: run.stepId,
    projectId: input.projectId,
    userId: input.userId,
    providerId: input.providerId,
    checkpointId: input.checkpointId,
    resource: { type: node.type, id: node.id, name: node.name, extra_info: node.extraInfo },
    parameters: parametersOf(input.parameters, node),
    outcomes,
    mover: createMover({
      repository,
      subject: resourceKey(node),
      level: 'default',
      owner: input.checkpoint && ownerOf(input.checkpoint),
      stepId: run.stepId,
      signal: run.signal,
      report: run.report,
    }),
    signal: run.signal,
    log: run.log,
  };
}

/** Forgets what the checkpoint has of the resource in the bank, also what no saved info names: of a worker that died, of a step that was given up. */
export async function forgetAll(
  input: OperationInput & { readonly checkpoint: Checkpoint },
  node: GraphNode,
  provider: OpenProvider,
): Promise<void> {
  const repository = await provider.repository(input.projectId, { create: false });
  await repository.forgetOwned(resourceKey(node), ownerOf(input.checkpoint));
}

export async function runHook<Call extends OperationCall>(
  hooks: Hooks<Call>,
  hook: HookName,
  call: Call,
  clock: Clock,
): Promise<HookOutcome> {
  const began = clock.monotonic();
  const value = await hooks[hook]?.(call);
  return { value: value ?? null, seconds: Math.round(clock.monotonic() - began) / 1000 };
}

export function getNode(graph: ResourceGraph, key: string): GraphNode {
  const node = graph.find((candidate) => candidate.key === key);
  if (node) return node;
  throw new Fault('internal', 'protection.unknown_node', `The operation's graph has no node ${key}.`);
}
