import ts from 'typescript';
import { placeOf, readTree, type SourceFile, walkSyntax } from './source-tree.ts';

const kinds = [
  'invalid',
  'unauthenticated',
  'forbidden',
  'not-found',
  'conflict',
  'over-quota',
  'unavailable',
  'timeout',
  'cancelled',
  'corrupt',
  'unsupported',
  'internal',
];

export interface FaultUse {
  readonly code: string;
  readonly kind: string;
  /** With `…` for what is filled in. */
  readonly message: string;
  readonly help: string;
  readonly place: string;
}

export interface FaultSurvey {
  readonly made: readonly FaultUse[];
  /** Codes that `isFault(error, code)` asks for. */
  readonly asked: readonly { readonly code: string; readonly place: string }[];
}

/**
 * Every fault the code makes: a call with a kind and after it a code, or a call with a code whose kind a table gives
 * (`'storage.missing': ['not-found', …]`); what follows the code is the message.
 */
export function surveyFaults(files: readonly SourceFile[] = readTree(['src', 'plugins', 'migrations'], /\.ts$/)): FaultSurvey {
  const kindOfCode = readKindTables(files);
  const made: FaultUse[] = [];
  const asked: { code: string; place: string }[] = [];
  for (const file of files) {
    walkSyntax(file, (node, source) => {
      if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return;
      const args = node.arguments ?? [];
      const place = placeOf(node, source);
      if (node.expression.getText(source) === 'isFault') {
        const code = textOf(args[1]);
        if (code !== undefined) asked.push({ code, place });
        return;
      }
      const at = args.findIndex((arg) => ts.isStringLiteral(arg) && looksLikeCode(arg.text));
      const code = at < 0 ? undefined : textOf(args[at]);
      if (code === undefined) return;
      const before = textOf(args[at - 1]);
      const kind = before !== undefined && kinds.includes(before) ? before : kindOfCode.get(code);
      if (kind === undefined) return;
      made.push({ kind, code, message: textOf(args[at + 1]) ?? '', help: helpOf(args.slice(at + 1)), place });
    });
  }
  return { made, asked };
}

function readKindTables(files: readonly SourceFile[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of files) {
    walkSyntax(file, (node) => {
      if (!ts.isPropertyAssignment(node) || !ts.isStringLiteral(node.name) || !ts.isArrayLiteralExpression(node.initializer))
        return;
      const kind = textOf(node.initializer.elements[0]);
      if (kind !== undefined && kinds.includes(kind)) found.set(node.name.text, kind);
    });
  }
  return found;
}

export function looksLikeCode(text: string): boolean {
  return /^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$/.test(text);
}

/** `src/FAULTS.md`, as `npm run docs:write` writes it. */
export function faultDocument(survey: FaultSurvey): string {
  const byCode = new Map<string, FaultUse[]>();
  for (const use of survey.made) byCode.set(use.code, [...(byCode.get(use.code) ?? []), use]);
  const rows = [...byCode]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([code, uses]) => {
      const first = uses.find((use) => use.help !== '') ?? uses[0];
      return `| \`${code}\` | ${first?.kind} | ${cell(first?.message ?? '')} | ${cell(first?.help ?? '')} |`;
    });
  return [
    '# Faults',
    '',
    'Every fault Karri makes, by its code; `…` stands for what is filled in. Written by `npm run docs:write`.',
    '',
    '| code | kind | says | what to do |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ').trim();
}

function helpOf(args: readonly ts.Expression[]): string {
  for (const arg of args) {
    if (!ts.isObjectLiteralExpression(arg)) continue;
    for (const property of arg.properties) {
      if (ts.isPropertyAssignment(property) && property.name.getText() === 'help') return textOf(property.initializer) ?? '';
    }
  }
  return '';
}

/** The text of a literal, a template or a sum of them; undefined for anything else. */
function textOf(node: ts.Expression | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) return node.head.text + node.templateSpans.map((span) => `…${span.literal.text}`).join('');
  if (ts.isBinaryExpression(node)) {
    const left = textOf(node.left);
    const right = textOf(node.right);
    return left === undefined && right === undefined ? undefined : `${left ?? '…'}${right ?? '…'}`;
  }
  return undefined;
}
