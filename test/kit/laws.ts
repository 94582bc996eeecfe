import { describe, test } from 'vitest';
import type { Law } from '../../src/plugin/conformance/law.ts';

/** One test per law; a law that has nothing to say is skipped with its reason. */
export function testLaws(name: string, laws: readonly Law[], timeoutMs = 30_000): void {
  describe(name, () => {
    for (const law of laws) {
      test(law.name, { timeout: timeoutMs }, async (context) => {
        const reason = await law.run();
        if (reason !== undefined) context.skip(reason);
      });
    }
  });
}
