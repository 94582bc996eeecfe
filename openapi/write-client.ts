/** `npm run client:write`: what `src/client` knows of the document. A test holds it against the document. */
import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript';
import ts from 'typescript';
import { documentFile } from './write.ts';

export const clientFile = new URL('../src/client/document.ts', import.meta.url);

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

interface Document extends OpenAPI3 {
  readonly paths: Record<string, Record<string, Operation>>;
}

/** Types of all nouns and operations, and where each operation lives. Faults look alike, so one type of the client stands for all. */
export async function renderClient(): Promise<string> {
  const document: Document = JSON.parse(await readFile(documentFile, 'utf8'));
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const places = operations.map(({ path, method, operation }) => {
    const answer = operation.responses['200']?.content ?? operation.responses['300']?.content;
    const kind = answer === undefined ? 'empty' : 'application/json' in answer ? 'json' : 'bytes';
    return `  ${operation.operationId}: ['${method.toUpperCase()}', '${path}', '${kind}'],\n`;
  });
  for (const { operation } of operations) {
    Object.assign(operation, {
      responses: Object.fromEntries(Object.entries(operation.responses).filter(([status]) => ['200', '300'].includes(status))),
    });
  }
  const nodes = await openapiTS(withoutExamples(document), { alphabetize: true, immutable: true });
  const wanted = nodes.filter((node) => ts.isInterfaceDeclaration(node) && ['components', 'operations'].includes(node.name.text));
  return `/** Written from openapi/openapi.json by \`npm run client:write\`. */\n${astToString(wanted)}
/** Operation → method, path, what a good answer holds. */
export const places = {\n${places.join('')}} as const;\n`;
}

/** Examples would be two thirds of the comments. */
function withoutExamples(document: Document): OpenAPI3 {
  return JSON.parse(JSON.stringify(document, (key, value: unknown) => (/^examples?$/.test(key) ? undefined : value)));
}

if (import.meta.main) await writeFile(clientFile, await renderClient());
