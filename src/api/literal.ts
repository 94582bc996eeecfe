/**
 * Reads a Python literal as Karbor's clients put it into a query (`5`, `True`, `{'k': 'v'}`); undefined for any other
 * text. A number counts only if it is written back the same, so that ids made of digits stay text.
 */
export function parseLiteral(source: string): unknown {
  const tokens = source.match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[[\]{}(),:]|[^\s[\]{}(),:'"]+|['"]/gs) ?? [];
  let at = 0;

  function read(depth: number): unknown {
    const token = tokens[at++];
    if (token === undefined || depth > 20) return undefined;
    if (token === '[') return readItems(']', depth);
    if (token === '(') return readItems(')', depth);
    if (token === '{') return readDict(depth);
    return readScalar(token);
  }

  function readItems(end: string, depth: number): unknown[] | undefined {
    const items: unknown[] = [];
    while (tokens[at] !== end) {
      const item = read(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
      if (!endOrComma(end)) return undefined;
    }
    at++;
    return items;
  }

  function readDict(depth: number): Record<string, unknown> | undefined {
    const entries: [string, unknown][] = [];
    while (tokens[at] !== '}') {
      const key = read(depth + 1);
      if (!isKey(key) || tokens[at++] !== ':') return undefined;
      const value = read(depth + 1);
      if (value === undefined) return undefined;
      entries.push([String(key), value]);
      if (!endOrComma('}')) return undefined;
    }
    at++;
    return Object.fromEntries(entries);
  }

  function endOrComma(end: string): boolean {
    if (tokens[at] === ',') at++;
    else if (tokens[at] !== end) return false;
    return true;
  }

  const value = read(0);
  return at === tokens.length ? value : undefined;
}

function readScalar(token: string): unknown {
  if (token === 'True') return true;
  if (token === 'False') return false;
  if (token === 'None') return null;
  const quote = token[0];
  if (quote === "'" || quote === '"') return token.length > 1 ? unquote(token.slice(1, -1)) : undefined;
  const number = Number(token);
  return Number.isFinite(number) && String(number) === token ? number : undefined;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

function unquote(text: string): string {
  return text.replace(/\\(.)/gs, (_, character: string) => escapes[character] ?? character);
}

function isKey(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}
