import type { Config } from './config.ts';
import { maskUrl } from './secrets.ts';
import { configVariable, settingNames, settings } from './settings.ts';

/** `karri config show`: what is in force and where it comes from, secrets masked. */
export function showConfig(config: Config): string {
  const rows = settingNames.map((name) => {
    const value = config[name];
    const text = value === undefined ? '(not set)' : Array.isArray(value) ? value.join(',') : String(value);
    return [
      settings[name].variable,
      settings[name].isSecret && value !== undefined ? maskUrl(text) : text,
      config.origins[name].from,
    ];
  });
  const lists = [
    ['volume_roots', config.volumeRoots.join(', ')],
    ['volumes', config.volumes.map(({ name, type, path }) => `${name} (${type}) ${path}`).join(', ')],
    [
      'hooks',
      Object.entries(config.hooks)
        .map(([name, { command }]) => `${name}: ${command[0] ?? ''}`)
        .join(', '),
    ],
    ['plugins', config.plugins.join(', ')],
  ].map(([name = '', text = '']) => [name, text === '' ? '(none)' : text, '']);
  return toColumns([[configVariable, config.file ?? '(no file)', ''], ...rows, ...lists]);
}

function toColumns(rows: readonly string[][]): string {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = [width(0), width(1)];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
    .concat('\n');
}

/** The table of settings as it stands in the README between its two `settings` marks. */
export function settingsTable(): string {
  const rows = settingNames.map((name) => {
    const { variable, key, fallback, meaning, allowed, isPath } = settings[name];
    return [
      `\`${variable}\``,
      `\`${key}\``,
      fallback === '' ? '–' : `\`${fallback}\``,
      isPath ? meaning : `${meaning} (${allowed})`,
    ];
  });
  const inFile = [
    ['volume_roots', 'More folders like `KARRI_VOLUMES_DIR`'],
    ['volumes', 'Volumes that lie elsewhere: a list of `{ name, path, type }`, type `Host::Directory` or `Host::Block`'],
    ['hooks', 'Commands that plans may name: `name: { command: [program, argument, …], timeout_seconds: 60 }`'],
    ['plugins', 'Packages with plugins, by their exact names'],
  ].map(([key, meaning]) => ['–', `\`${key}\``, '–', meaning]);
  const first = [
    `\`${configVariable}\``,
    '–',
    '`STATE_DIR/karri.yaml`',
    'The configuration file; the default is read where it is there',
  ];
  return [['environment', 'in the file', 'default', 'meaning'], ['---', '---', '---', '---'], first, ...rows, ...inFile]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');
}
