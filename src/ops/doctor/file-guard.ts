import { ok, warn, type Check } from './check.ts';

export const fileGuard: Check = {
  name: 'file-guard',
  run: async (context) => {
    if ((await context.fileGuard()) === 'race-free')
      return ok('File access is race-free: every step of a path is walked on open descriptors.');
    return warn(
      'File access is best effort here: folders are compared before and after, and who renames them in between could win.',
      'Use Linux with /proc, or let nobody else write where agents work.',
    );
  },
};
