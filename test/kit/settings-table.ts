import { settingsTable } from '../../src/config/show.ts';

/** The README with the table of settings as the code has it. */
export function withSettings(readme: string): string {
  return readme.replace(/(<!-- settings -->\n)[\s\S]*?(<!-- \/settings -->)/, (_, open: string, close: string) => {
    return `${open}\n${settingsTable()}\n${close}`;
  });
}
