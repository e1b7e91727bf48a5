import type { CompileOptions } from '../governance/policy-snapshot.ts';
import type { OpenTools } from './worker-context.ts';

/** With the tools there are, a policy's examples are checked and unknown tools are denied: every run compiles so. */
export function compileOptions(tools: Pick<OpenTools, 'tools' | 'resourcesOf'>): CompileOptions {
  return { tools: tools.tools.tools, resourcesOf: tools.resourcesOf };
}
