import { workspaceInside } from '../contracts/isolation.ts';
import { runsCommands, type ToolDeclaration } from '../contracts/tool.ts';

/**
 * A path argument as the tools read paths. The folder of a command may be written as the command itself sees it,
 * `/workspace/docs`: that becomes `workspace:docs`, which goes through every check that a path goes through.
 */
export function spelledInside(tool: Pick<ToolDeclaration, 'args'>, argument: string, path: string): string {
  if (argument !== 'cwd' || !runsCommands(tool)) return path;
  if (path !== workspaceInside && !path.startsWith(`${workspaceInside}/`)) return path;
  return `workspace:${path.slice(workspaceInside.length + 1)}`;
}
