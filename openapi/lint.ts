/** `npm run lint:openapi`: the checked-in document against every rule of Redocly. Ends with 1 when anything is said. */
import { fileURLToPath } from 'node:url';
import { createConfig, formatProblems, getTotals, lint } from '@redocly/openapi-core';
import { documentFile } from './write.ts';

/** What stands in the document on purpose, as `rule path`. */
const meant: ReadonlySet<string> = new Set([
  // Karbor answers a choice of versions with 300.
  'operation-2xx-response #/paths/~1/get/responses',
  // They take nothing that could be wrong and need no caller.
  ...['~1', '~1v1', '~1healthz', '~1readyz', '~1openapi.json'].map(
    (path) => `operation-4xx-response #/paths/${path}/get/responses`,
  ),
]);

const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    'operation-description': 'error',
    'operation-operationId': 'error',
    'operation-operationId-unique': 'error',
    'operation-operationId-url-safe': 'error',
    'tag-description': 'error',
    'parameter-description': 'error',
    'no-duplicated-tag-names': 'error',
    'no-invalid-parameter-examples': 'error',
    'no-invalid-media-type-examples': 'error',
    'no-invalid-schema-examples': 'error',
    'no-required-schema-properties-undefined': 'error',
    'no-enum-type-mismatch': 'error',
    'component-name-unique': 'error',
    'no-http-verbs-in-paths': 'error',
    'no-identical-paths': 'error',
  },
});
const problems = await lint({ ref: fileURLToPath(documentFile), config });
const found = problems.filter(({ ruleId, location: [place] }) => !meant.has(`${ruleId} ${place?.pointer}`));
formatProblems(found, { format: 'stylish', totals: getTotals(found), version: '' });
if (found.length > 0) process.exitCode = 1;
