import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));
const notOurs = new Set(['node_modules', '.git', 'var', 'coverage', 'out']);

export interface SourceFile {
  /** From the root of the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every text file below the given folders or files of the project, in order of their paths. */
export function readTree(places: readonly string[], ending = /\.(ts|mjs|cjs|json|md|ya?ml|sql)$/): SourceFile[] {
  return places
    .flatMap(listFiles)
    .filter((path) => ending.test(path))
    .sort()
    .map((path) => ({ path, text: readFileSync(`${root}${path}`, 'utf8') }));
}

export function readSource(path: string): string {
  return readFileSync(`${root}${path}`, 'utf8');
}

export function absolutePath(path: string): string {
  return `${root}${path}`;
}

/** Calls `visit` for every node of the file's syntax tree. */
export function walkSyntax(file: SourceFile, visit: (node: ts.Node, source: ts.SourceFile) => void): void {
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
  const walk = (node: ts.Node): void => {
    visit(node, source);
    ts.forEachChild(node, walk);
  };
  walk(source);
}

/** `src/db/plan-store.ts:12` */
export function placeOf(node: ts.Node, source: ts.SourceFile): string {
  return `${source.fileName}:${source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1}`;
}

function listFiles(place: string): string[] {
  if (statSync(`${root}${place}`).isFile()) return [place];
  const found: string[] = [];
  for (const entry of readdirSync(`${root}${place}`, { withFileTypes: true })) {
    if (notOurs.has(entry.name)) continue;
    const path = `${place.replace(/\/$/, '')}/${entry.name}`;
    if (entry.isDirectory()) found.push(...listFiles(path));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}
