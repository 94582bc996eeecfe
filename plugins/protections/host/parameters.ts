import { Fault } from 'karri/plugin';

/** Parameters come as text, as Karbor keeps them: `true` is `"True"`. */
export type Parameters = Readonly<Record<string, string>>;

/** @throws {Fault} invalid `host.bad_parameter` */
export function readFlag(parameters: Parameters, name: string): boolean {
  const text = readText(parameters, name)?.toLowerCase() ?? 'false';
  if (text === 'true' || text === 'false') return text === 'true';
  throw badParameter(name, text, 'True or False');
}

/** Absent, empty and `None` (a null that was made text) are the same. */
export function readText(parameters: Parameters, name: string): string | undefined {
  const text = parameters[name];
  return text === undefined || text === '' || text === 'None' ? undefined : text;
}

/** @throws {Fault} invalid `host.bad_parameter` */
export function readPercent(parameters: Parameters): number {
  const text = readText(parameters, 'percent') ?? '100';
  const percent = Number(text);
  if (/^[0-9.]+$/.test(text) && percent > 0 && percent <= 100) return percent;
  throw badParameter('percent', text, 'a number above 0 and up to 100');
}

/** The first choice is the default. @throws {Fault} invalid `host.bad_parameter` */
export function readChoice<Choice extends string>(
  parameters: Parameters,
  name: string,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const text = readText(parameters, name) ?? choices[0];
  const chosen = choices.find((choice) => choice === text);
  if (chosen !== undefined) return chosen;
  throw badParameter(name, text, choices.join(' or '));
}

/** @throws {Fault} invalid `host.bad_parameter` */
export function readName(parameters: Parameters, name: string): string | undefined {
  const text = readText(parameters, name);
  if (text === undefined || /^[A-Za-z0-9_.-]{1,64}$/.test(text)) return text;
  throw badParameter(name, text, 'up to 64 letters, digits, dots, dashes and underscores');
}

/** @throws {Fault} invalid `host.bad_parameter` */
export function readCount(parameters: Parameters, name: string, byDefault: number): number {
  const text = readText(parameters, name) ?? String(byDefault);
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw badParameter(name, text, 'a whole number from 0 on');
}

/**
 * Patterns: a JSON list (`["*.log", "tmp/"]`), or texts parted by commas. A pattern with a comma in it needs the list.
 * Undefined when none is given.
 *
 * @throws {Fault} invalid `host.bad_parameter`
 */
export function readPatterns(parameters: Parameters, name: string): readonly string[] | undefined {
  const text = readText(parameters, name)?.trim();
  if (text === undefined) return undefined;
  const patterns = text.startsWith('[') ? parseList(name, text) : text.split(',').map((part) => part.trim());
  const kept = patterns.filter((pattern) => pattern !== '');
  return kept.length === 0 ? undefined : kept;
}

function parseList(name: string, text: string): string[] {
  const wanted = 'a JSON list of texts, or texts parted by commas';
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    // `[ab]*.txt` is a pattern, not a broken list: no JSON list of texts begins that way.
    if (!/^\[\s*["'\]]/.test(text)) return text.split(',').map((part) => part.trim());
    throw badParameter(name, text, wanted, error);
  }
  if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  throw badParameter(name, text, wanted);
}

function badParameter(name: string, text: string, wanted: string, cause?: unknown): Fault {
  return new Fault('invalid', 'host.bad_parameter', `The parameter ${name} is ${JSON.stringify(text)}; it must be ${wanted}.`, {
    cause,
    details: { parameter: name },
  });
}
