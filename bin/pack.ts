/**
 * Runs before and, with `--undo`, after `npm pack`, `npm publish` and an installation from git. Node strips no types below node_modules,
 * so a package holds JavaScript beside each TypeScript file, line for line the same; a clone needs none of it. A pack that was killed in
 * the middle leaves both here: `node bin/pack.ts --undo` takes it away.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const packageFile = join(root, 'package.json');
const undo = process.argv.includes('--undo');

interface Package {
  readonly files: readonly string[];
  exports: Record<string, string | { readonly types: string; readonly default: string }>;
}

const description = JSON.parse(readFileSync(packageFile, 'utf8')) as Package;
const files = description.files.flatMap(listTypeScript);
if (undo) for (const file of files) rmSync(toJavaScript(file), { force: true });
else for (const [file, code] of files.map((path) => [toJavaScript(path), translate(path)] as const)) writeFileSync(file, code);
description.exports = Object.fromEntries(
  Object.entries(description.exports).map(([door, target]) => {
    const types = typeof target === 'string' ? target : target.types;
    return [door, undo ? types : { types, default: toJavaScript(types) }];
  }),
);
writeFileSync(packageFile, `${JSON.stringify(description, null, 2)}\n`);

function listTypeScript(place: string): string[] {
  const path = join(root, place);
  if (!statSync(path).isDirectory()) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(path, name));
}

function toJavaScript(file: string): string {
  return file.replace(/\.ts$/, '.js');
}

/** Imports, and whatever else names a file of ours by a relative path, as the path of a worker thread's code. */
function translate(file: string): string {
  return stripTypeScriptTypes(readFileSync(file, 'utf8')).replace(
    /(['"])(\.{1,2}\/[^'"\n]*\.ts)\1/g,
    (_, quote: string, path: string) => {
      if (!existsSync(join(dirname(file), path))) throw new Error(`${file} names ${path}, which is not there.`);
      return `${quote}${toJavaScript(path)}${quote}`;
    },
  );
}
