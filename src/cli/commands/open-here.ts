import type { CommandContext } from '../command.ts';
import type { Sandboxes, SandboxSettings } from '../sandboxes.ts';

/** The drivers of this machine, also where no home is: then with nothing configured. What dead processes left is taken away. */
export async function openHere({ app }: CommandContext, image?: SandboxSettings['image']): Promise<Sandboxes> {
  const { FixRequestError } = await import('../../contracts/errors.ts');
  const sandboxes = await app.sandboxes(image).catch(async (error: unknown) => {
    if (!(error instanceof FixRequestError) || error.code !== 'cli.no-home') throw error;
    const { openSandboxes, runtimeDirOf } = await import('../sandboxes.ts');
    return await openSandboxes({ runtimeDir: runtimeDirOf(app.env), config: undefined, image, root: app.cwd });
  });
  await sandboxes.reap();
  return sandboxes;
}
