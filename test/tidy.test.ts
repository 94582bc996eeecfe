import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findBanned } from './kit/banned.ts';
import { faultDocument, looksLikeCode, surveyFaults } from './kit/fault-list.ts';
import { withSettings } from './kit/settings-table.ts';
import { absolutePath, readSource, readTree } from './kit/source-tree.ts';

const code = readTree(['bin', 'src', 'plugins', 'migrations', 'openapi', 'demo', 'test'], /\.ts$/);
const documents = ['README.md', 'CHANGELOG.md', 'src/ARCHITECTURE.md', 'test/README.md'];
const settings = [
  'package.json',
  'biome.json',
  'knip.json',
  'tsconfig.json',
  'vitest.config.ts',
  '.dependency-cruiser.cjs',
  '.ci/run',
];
const maxLines = 450;
/** Nobody reads it: it is written from the API document. */
const generated = 'src/client/document.ts';

describe('floors', () => {
  test('floors.json says what ARCHITECTURE.md says', () => {
    const rows = readSource('src/ARCHITECTURE.md').matchAll(/^\|[^|]*\| `([a-z]+)` \|[^|]*\|([^|]*)\|$/gm);
    const documented = Object.fromEntries([...rows].map(([, folder = '', below = '']) => [folder, namesIn(below)]));
    const checked = JSON.parse(readSource('src/floors.json')) as Record<string, string[]>;
    const everything = Object.keys(checked).filter((floor) => floor !== 'app');
    expect({ ...documented, app: documented.app?.includes('all') ? everything : documented.app }).toEqual(checked);
  });
});

describe('code', () => {
  test('does nothing that is banned', () => {
    expect(code.flatMap(findBanned)).toEqual([]);
  });

  test.each([
    ['const at = Date.now();', 'reads time'],
    ['const at = new Date();', 'reads time'],
    ['const home = process.env.HOME;', 'environment'],
    ["console.log('hello');", 'prints'],
    ['let x: any;', 'any'],
    ['await new Promise((resolve) => setTimeout(resolve, 100));', 'waiting'],
    ["import { setTimeout } from 'node:timers/promises';", 'waiting'],
    [`// @${'ts'}-ignore\nx = 1;`, '@ts-'],
  ])('the ban on `%s` holds', (text, why) => {
    expect(findBanned({ path: 'src/model/sample.ts', text }).join()).toContain(why);
  });

  test(`no file is longer than ${maxLines} lines`, () => {
    const long = code.map(({ path, text }) => ({ path, lines: text.split('\n').length })).filter(({ lines }) => lines > maxLines);
    expect(long.filter(({ path }) => path !== generated)).toEqual([]);
  });
});

describe('faults', () => {
  const survey = surveyFaults();

  test('are found at all', () => {
    expect(survey.made.length).toBeGreaterThan(50);
  });

  test('a code has one kind', () => {
    const kinds = new Map<string, Set<string>>();
    for (const { code, kind } of survey.made) kinds.set(code, (kinds.get(code) ?? new Set()).add(kind));
    expect([...kinds].filter(([, several]) => several.size > 1).map(([code, several]) => [code, ...several])).toEqual([]);
  });

  test('a code that is asked for is one that is made', () => {
    const made = new Set(survey.made.map(({ code }) => code));
    expect(survey.asked.filter(({ code }) => !looksLikeCode(code) || !made.has(code))).toEqual([]);
  });

  test('are all in FAULTS.md (npm run docs:write)', () => {
    expect(readSource('src/FAULTS.md')).toBe(faultDocument(survey));
  });
});

describe('documents', () => {
  test('every place on the map of the README exists', () => {
    const map = /## The map\n([\s\S]*?)\n## /.exec(readSource('README.md'))?.[1] ?? '';
    const places = [...map.matchAll(/^\| `([^`]+)` \|/gm)].map(([, place = '']) => place);
    expect(places.length).toBeGreaterThan(10);
    expect(places.filter((place) => !existsSync(absolutePath(place)))).toEqual([]);
  });

  test('the table of settings in the README is that of the code (npm run docs:write)', () => {
    expect(readSource('README.md')).toBe(withSettings(readSource('README.md')));
  });

  test('every linked file exists', () => {
    const broken = readTree([...documents, 'src', 'plugins', 'test'], /\.md$/).flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)]
        .map(([, link = '']) => new URL(link, `file:///${path}`).pathname.slice(1))
        .filter((target) => !existsSync(absolutePath(target)))
        .map((target) => `${path} → ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('no file names a path of the machine it was written on', () => {
    const ours = [
      ...readTree(['bin', 'src', 'plugins', 'migrations', 'openapi', 'demo', 'test'], /./),
      ...readTree([...documents, ...settings], /./),
    ];
    const private_ = new RegExp(`(^|[^\\w.])/(${['work', 'root', 'home'].join('|')})/\\w`, 'm');
    expect(ours.filter(({ text }) => private_.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

function namesIn(cell: string): string[] {
  return cell
    .split(',')
    .map((name) => name.trim())
    .filter((name) => /^[a-z]+$/.test(name));
}
