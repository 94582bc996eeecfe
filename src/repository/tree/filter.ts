import { Fault } from '../../base/faults.ts';
import { bytePath, parentPath, type TreePath } from './path.ts';

/**
 * Which paths of a tree are taken. One pattern a line, like those of .gitignore:
 *
 *   name      anything of that name, at any depth
 *   /name     only at the root; a `/` inside the pattern ties it to the root as well
 *   name/     folders only (and so everything in them)
 *   * ? **    any characters but `/`; one character but `/`; any characters, `/` too (as a whole part: any number of folders)
 *   !pattern  takes back what an earlier pattern of the same list said; the last match decides
 *   \x        x itself
 *
 * Excluded folders are not entered, so nothing below them can be taken back. With include patterns only what they match, what lies in
 * folders they match, and the folders that lead there are taken; exclude is asked first.
 */
export interface TreeFilter {
  /** Neither the path nor, if it is a folder, anything below it is taken. */
  excludes(path: TreePath, isFolder: boolean): boolean;
  /** False for a folder means: only if something below it is included. */
  includes(path: TreePath, isFolder: boolean): boolean;
}

interface Rule {
  readonly pattern: RegExp;
  readonly foldersOnly: boolean;
  readonly takesBack: boolean;
}

/** @throws {Fault} `repository.bad_pattern` (invalid) */
export function createTreeFilter(include: readonly string[] | undefined, exclude: readonly string[] | undefined): TreeFilter {
  const included = include?.map(parseRule) ?? [];
  const excluded = exclude?.map(parseRule) ?? [];
  return {
    excludes: (path, isFolder) => lastMatch(excluded, path, isFolder) === true,
    includes(path, isFolder) {
      if (included.length === 0) return true;
      let folder = isFolder;
      // The nearest thing on the way up that any pattern speaks of decides.
      for (let at = path; at !== ''; at = parentPath(at)) {
        const match = lastMatch(included, at, folder);
        if (match !== undefined) return match;
        folder = true;
      }
      return false;
    },
  };
}

function lastMatch(rules: readonly Rule[], path: TreePath, isFolder: boolean): boolean | undefined {
  for (let i = rules.length - 1; i >= 0; i--) {
    const rule = rules[i] as Rule;
    if ((isFolder || !rule.foldersOnly) && rule.pattern.test(path)) return !rule.takesBack;
  }
  return undefined;
}

function parseRule(text: string): Rule {
  const takesBack = text.startsWith('!');
  let body = bytePath(takesBack ? text.slice(1) : text);
  const foldersOnly = body.endsWith('/');
  if (foldersOnly) body = body.slice(0, -1);
  const anchored = body.includes('/');
  if (body.startsWith('/')) body = body.slice(1);
  if (body === '' || body.includes('\0') || body.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new Fault(
      'invalid',
      'repository.bad_pattern',
      `The pattern ${JSON.stringify(text)} is no include or exclude pattern.`,
      {
        help: 'Write names or paths relative to the root of the tree, with *, ** and ? for what varies.',
      },
    );
  }
  return { pattern: new RegExp(`^${anchored ? '' : anyFolders}${toRegExp(body)}$`, 's'), foldersOnly, takesBack };
}

const anyFolders = '(?:.*/)?';
/** One UTF-8 character, or one byte that belongs to none. */
const oneCharacter = '(?:[\\xc2-\\xf4][\\x80-\\xbf]{1,3}|[^/])';

function toRegExp(glob: string): string {
  let out = '';
  for (let i = 0; i < glob.length; i++) {
    const wholePart = i === 0 || glob[i - 1] === '/';
    if (glob.startsWith('**/', i) && wholePart) {
      out += anyFolders;
      i += 2;
    } else if (glob.startsWith('**', i)) {
      out += '.*';
      i++;
    } else if (glob[i] === '*') out += '[^/]*';
    else if (glob[i] === '?') out += oneCharacter;
    else {
      if (glob[i] === '\\' && i + 1 < glob.length) i++;
      out += (glob[i] as string).replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
    }
  }
  return out;
}
