import type { ShownVerification, Verification } from '../model/verification.ts';
import type { VerificationService } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';
import { startVerification, verificationSubject } from './verify.ts';
import { getVisible } from './visible.ts';

export function createVerificationService(deps: ProtectionDeps): VerificationService {
  const show = async (verifications: readonly Verification[]): Promise<ShownVerification[]> => {
    const progress = await deps.operations.findProgress(verifications.map(({ id }) => verificationSubject(id)));
    return verifications.map((one) => ({ ...one, progress: progress.get(verificationSubject(one.id)) ?? null }));
  };

  return {
    async create(caller, verification) {
      return { ...(await startVerification(deps, caller, verification)), progress: null };
    },
    async list(_caller, query) {
      return { items: await show((await deps.verifications.list(query)).items) };
    },
    async get(caller, id) {
      const verification = getVisible(caller, 'verification', await deps.verifications.get(id));
      const [shown] = await show([verification]);
      return shown ?? { ...verification, progress: null };
    },
  };
}
