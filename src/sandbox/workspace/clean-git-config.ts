/** Keys of a git config file that cannot make git run a program or look elsewhere, with the values that are safe. */
const plain = /^[^"\\;#\n]*$/;
const address = /^(https:\/\/|ssh:\/\/|git@)[A-Za-z0-9][^"\\;#\s]*$/;
const allowed: readonly { readonly key: RegExp; readonly value: RegExp }[] = [
  { key: /^core\.repositoryformatversion$/, value: /^[01]$/ },
  { key: /^core\.(filemode|logallrefupdates|ignorecase|precomposeunicode|symlinks|autocrlf|eol)$/, value: /^[a-z]+$/ },
  { key: /^core\.bare$/, value: /^false$/ },
  { key: /^extensions\.objectformat$/, value: /^sha(1|256)$/ },
  { key: /^remote\..*\.(url|pushurl)$/, value: address },
  { key: /^remote\..*\.fetch$/, value: plain },
  { key: /^branch\..*\.(remote|merge|rebase)$/, value: plain },
  { key: /^user\.(name|email)$/, value: plain },
  { key: /^init\.defaultbranch$/, value: plain },
  { key: /^(pull|push)\.(rebase|default|ff)$/, value: /^[a-z-]+$/ },
];
const sectionLine = /^\[([A-Za-z0-9.-]+)(?: "([^"\\\n]*)")?\]$/;
const keyLine = /^([A-Za-z][A-Za-z0-9-]*)[ \t]*=[ \t]*(.*)$/;

/**
 * The part of a git config that is only data. Everything that is not known to be harmless is dropped: programs
 * (`core.fsmonitor`, `core.sshCommand`, filters, aliases, pagers, credential helpers), inclusions and other places
 * (`include.path`, `core.hooksPath`, `core.worktree`), `ext::` remotes, and every line of unusual shape.
 */
export function cleanGitConfig(text: string): string {
  const kept: string[] = [];
  let section: string | undefined;
  let pending: string | undefined;
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const head = sectionLine.exec(line);
    if (line.startsWith('[')) {
      section = head === null ? undefined : [head[1]?.toLowerCase(), head[2]].filter((part) => part !== undefined).join('.');
      pending = head === null ? undefined : line;
      continue;
    }
    const [, key = '', value = ''] = keyLine.exec(line) ?? [];
    if (section === undefined || !isAllowed(`${section}.${key.toLowerCase()}`, value)) continue;
    if (pending !== undefined) kept.push(pending);
    pending = undefined;
    kept.push(`\t${key} = ${value}`);
  }
  return kept.map((line) => `${line}\n`).join('');
}

function isAllowed(key: string, value: string): boolean {
  return allowed.some((rule) => rule.key.test(key) && rule.value.test(value));
}
