import { Fault } from '../base/faults.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { Parameters } from '../model/resource.ts';
import type { CopyService } from './contract.ts';
import { type CopyPlan, startCopies } from './copy.ts';
import type { ProtectionDeps } from './deps.ts';
import { parametersOf } from './hook-call.ts';
import { refuseEarly } from './protect.ts';
import type { OpenProvider } from './provider-registry.ts';
import { decodeResourceGraph, type ResourceGraph, resourceKey } from './resource-graph.ts';
import { getVisible } from './visible.ts';

const pageSize = 500;

export function createCopyService(deps: ProtectionDeps): CopyService {
  return {
    async create(caller, providerId, planId, requested) {
      const plan = getVisible(caller, 'plan', await deps.plans.get(planId));
      if (plan.providerId !== providerId) {
        throw new Fault(
          'invalid',
          'checkpoint.other_provider',
          `Plan ${planId} belongs to provider ${plan.providerId}, not to ${providerId}.`,
        );
      }
      const parameters = overlay(plan.parameters, requested);
      const plans = await refuseEarly('copy', async () => {
        const source = deps.providers.get(providerId);
        await deps.catalog.refresh(source, plan.projectId);
        const originals = await listOriginals(deps, providerId, plan.projectId, planId);
        const wanted = originals.map((original): CopyPlan => {
          const graph = decodeResourceGraph(original.resourceGraph ?? '');
          const target = findTarget(deps, graph, parameters);
          demandSamePlugins(source, target, graph);
          return { original, graph, target };
        });
        if (wanted.length === 0) {
          throw new Fault('invalid', 'copy.nothing', `Plan ${planId} has no checkpoint that could be copied.`, {
            help: 'Only available ones that are no copies themselves are copied. Protect the plan first.',
          });
        }
        await deps.gate.roomFor(plan.projectId);
        // As with a protect: a bank that is away or a wrong key refuses the request itself.
        for (const target of new Set(wanted.map((one) => one.target))) {
          await target.repository(plan.projectId, { create: true });
          await target.bank.stat(`checkpoints/${target.info.id}`);
        }
        return wanted;
      });
      const pairs = await startCopies(deps, caller, plans, parameters);
      return { projectId: plan.projectId, providerId, planId, parameters: requested, pairs };
    },
  };
}

/** What the request says of a key wins, option by option. */
function overlay(plan: Parameters, request: Parameters): Parameters {
  const keys = new Set([...Object.keys(plan), ...Object.keys(request)]);
  return Object.fromEntries([...keys].map((key) => [key, { ...plan[key], ...request[key] }]));
}

/** Oldest first: then each copy finds what it has in common with the one before. */
async function listOriginals(
  deps: ProtectionDeps,
  providerId: string,
  projectId: string,
  planId: string,
): Promise<readonly Checkpoint[]> {
  const originals: Checkpoint[] = [];
  for (let marker: string | undefined; ; ) {
    const { items } = await deps.checkpoints.list({
      providerId,
      projectId,
      planId,
      filters: { status: 'available' },
      sort: [{ key: 'created_at', direction: 'asc' }],
      limit: pageSize,
      ...(marker !== undefined && { marker }),
    });
    originals.push(...items.filter(({ extraInfo }) => extraInfo?.['copy_status'] === undefined));
    marker = items.at(-1)?.id;
    if (items.length < pageSize) return originals;
  }
}

/** All that a checkpoint holds lies in one bank, so of its resources at least one says where to, and none says something else. */
function findTarget(deps: ProtectionDeps, graph: ResourceGraph, parameters: Parameters): OpenProvider {
  const named = new Set(graph.flatMap((node) => parametersOf(parameters, node)['target'] ?? []));
  const [name, other] = named;
  if (name === undefined) {
    throw new Fault('invalid', 'copy.no_target', 'Nothing says where the copies are to lie.', {
      details: { field: 'copy.parameters' },
      help: 'Give the parameter target, an id or name of a provider: {"Host::Block": {"target": "south"}}.',
    });
  }
  if (other !== undefined) {
    throw new Fault(
      'invalid',
      'copy.several_targets',
      `What one checkpoint holds cannot be copied to both ${name} and ${other}.`,
      {
        details: { field: 'copy.parameters' },
        help: 'Name one target for all types.',
      },
    );
  }
  const found = deps.providers.find(name) ?? deps.providers.list().filter(({ info }) => info.name === name);
  const [target, second] = Array.isArray(found) ? found : [found];
  if (target !== undefined && second === undefined) return target;
  const message = second === undefined ? `There is no provider ${name}.` : `Several providers are called ${name}.`;
  throw new Fault('invalid', 'copy.unknown_target', message, {
    details: { field: 'copy.parameters' },
    help: 'GET /providers lists them all with their ids.',
  });
}

function demandSamePlugins(source: OpenProvider, target: OpenProvider, graph: ResourceGraph): void {
  if (source.info.id === target.info.id) {
    throw new Fault('invalid', 'copy.same_provider', `The checkpoints lie in ${target.info.name} already.`, {
      help: 'Name another provider as the target.',
    });
  }
  for (const node of graph) {
    const here = source.findProtection(node.type);
    const there = target.findProtection(node.type);
    if (here?.protection.copy === undefined) {
      throw new Fault('invalid', 'copy.unsupported', `What a checkpoint holds of ${resourceKey(node)} cannot be copied.`, {
        help: 'The protection plugin of its provider offers no copying.',
      });
    }
    if (there?.plugin === here.plugin) continue;
    throw new Fault(
      'invalid',
      'copy.other_plugin',
      `${target.info.name} could not restore a copy of ${resourceKey(node)}: it has ${there === undefined ? 'no plugin' : `the plugin ${there.plugin}`} for that type.`,
      { help: `Add the plugin ${here.plugin} to its provider file.` },
    );
  }
}
