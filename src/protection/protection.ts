import type { Flow } from '../jobs/flow.ts';
import { createCheckpointService } from './checkpoints.ts';
import { createCollectFlow } from './collect.ts';
import { createContentsService } from './contents.ts';
import type { OperationLogService, Protection, ProviderService } from './contract.ts';
import { createCopyService } from './copies.ts';
import { createCopyFlow } from './copy.ts';
import { createDeleteFlow } from './delete.ts';
import type { ProtectionDeps } from './deps.ts';
import { createGarbageCollectionService } from './garbage-collections.ts';
import { createPlanService } from './plans.ts';
import { createProtectFlow } from './protect.ts';
import { createProtectableService } from './protectables.ts';
import { createQuotaService } from './quotas.ts';
import { createRestoreFlow } from './restore.ts';
import { createRestoreService } from './restores.ts';
import { createServiceService } from './services.ts';
import { createUndeleteFlow } from './undelete.ts';
import { createVerificationService } from './verifications.ts';
import { createVerifyFlow } from './verify.ts';
import { getVisible } from './visible.ts';

/** What the API asks, built on what `app` hands in. */
export function createProtection(deps: ProtectionDeps): Protection {
  return {
    providers: createProviderService(deps),
    protectables: createProtectableService(deps.protectables),
    plans: createPlanService(deps),
    checkpoints: createCheckpointService(deps),
    contents: createContentsService(deps),
    copies: createCopyService(deps),
    restores: createRestoreService(deps),
    verifications: createVerificationService(deps),
    operationLogs: createOperationLogService(deps),
    garbageCollections: createGarbageCollectionService(deps),
    quotas: createQuotaService(deps),
    services: createServiceService(deps),
  };
}

/** What workers carry out. */
export function createFlows(deps: ProtectionDeps): Flow[] {
  return [
    createProtectFlow,
    createRestoreFlow,
    createVerifyFlow,
    createCopyFlow,
    createDeleteFlow,
    createUndeleteFlow,
    createCollectFlow,
  ].map((create) => create(deps));
}

function createProviderService({ providers }: ProtectionDeps): ProviderService {
  return {
    list: () => providers.list().map(({ info }) => info),
    get: (id) => providers.get(id).info,
  };
}

function createOperationLogService({ logs }: ProtectionDeps): OperationLogService {
  return {
    list: (_caller, query) => logs.list(query),
    get: async (caller, id) => getVisible(caller, 'operation_log', await logs.get(id)),
  };
}
