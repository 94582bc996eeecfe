import ts from 'typescript';
import { placeOf, type SourceFile, walkSyntax } from './source-tree.ts';

interface Ban {
  readonly why: string;
  /** Paths that may. */
  readonly except: RegExp;
  readonly matches: (node: ts.Node, source: ts.SourceFile) => boolean;
}

const never = /^$/;

const bans: readonly Ban[] = [
  {
    why: 'only base/clock reads time',
    except: /^src\/base\/clock\.ts$/,
    matches: (node, source) => isAccess(node, source, ['Date.now', 'performance.now', 'process.hrtime']) || isNewDateOfNow(node),
  },
  {
    why: 'only src/config reads the environment',
    except: /^(src\/config\/|test\/|demo\/)/,
    matches: (node, source) => isAccess(node, source, ['process.env']),
  },
  {
    why: 'only the command line prints',
    except: /^(src\/app\/cli\/|demo\/|test\/|openapi\/write\.ts)/,
    matches: (node, source) => ts.isPropertyAccessExpression(node) && node.expression.getText(source) === 'console',
  },
  { why: 'no any', except: never, matches: (node) => node.kind === ts.SyntaxKind.AnyKeyword },
  {
    why: 'waiting is `sleep` of base/clock',
    // The client runs in its user's program and shares nothing with the service.
    except: /^src\/(base\/clock|client\/send)\.ts$/,
    matches: (node, source) => isSleepByHand(node, source) || isImportOfSleep(node),
  },
];

/** `path:line: reason` for everything in the file that the house does not allow. */
export function findBanned(file: SourceFile): string[] {
  const found: string[] = [];
  const inForce = bans.filter((ban) => !ban.except.test(file.path));
  walkSyntax(file, (node, source) => {
    for (const ban of inForce) if (ban.matches(node, source)) found.push(`${placeOf(node, source)}: ${ban.why}`);
  });
  if (/@ts-(ignore|nocheck|expect-error)/.test(file.text)) found.push(`${file.path}: no @ts- comments`);
  return found;
}

function isAccess(node: ts.Node, source: ts.SourceFile, names: readonly string[]): boolean {
  return ts.isPropertyAccessExpression(node) && names.includes(node.getText(source).replace('globalThis.', ''));
}

function isNewDateOfNow(node: ts.Node): boolean {
  return ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0;
}

/** `new Promise((resolve) => setTimeout(resolve, …))` in any dress. */
function isSleepByHand(node: ts.Node, source: ts.SourceFile): boolean {
  if (!ts.isCallExpression(node) || node.expression.getText(source) !== 'setTimeout') return false;
  return (
    node.arguments[0] !== undefined && ts.isIdentifier(node.arguments[0]) && /^(resolve|done|ok|r)$/.test(node.arguments[0].text)
  );
}

function isImportOfSleep(node: ts.Node): boolean {
  if (!ts.isImportSpecifier(node) || (node.propertyName ?? node.name).text !== 'setTimeout') return false;
  const { moduleSpecifier } = node.parent.parent.parent;
  return ts.isStringLiteral(moduleSpecifier) && moduleSpecifier.text === 'node:timers/promises';
}
