import fs from 'node:fs';
import path from 'node:path';
import { fail, firstOf, ok, skip, type Check } from './check.ts';

/** 0640 is for files that are mounted into a container. */
export const secretFiles: Check = {
  name: 'secret-files',
  run: ({ secretsDir }) => {
    if (!fs.existsSync(secretsDir)) return skip('No secrets are kept in files.');
    const problems: string[] = [];
    let files = 0;
    for (const entry of fs.readdirSync(secretsDir, { recursive: true, withFileTypes: true })) {
      const place = path.join(entry.parentPath, entry.name);
      const { mode } = fs.lstatSync(place);
      const shown = `${place} has mode ${(mode & 0o777).toString(8)}`;
      if (entry.isSymbolicLink()) problems.push(`${place} is a link`);
      else if (entry.isDirectory() ? (mode & 0o022) !== 0 : (mode & 0o037) !== 0) problems.push(shown);
      if (entry.isFile()) files += 1;
    }
    if (problems.length > 0)
      return fail(
        `Others may read or change secrets: ${firstOf(problems)}.`,
        'Run chmod 600 on the files and chmod 700 on their folders, and rotate what was readable.',
      );
    return ok(`${files} file${files === 1 ? '' : 's'} of secrets cannot be read by others.`);
  },
};
