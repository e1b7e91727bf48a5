import type { CompileOptions } from '../governance/policy-snapshot.ts';
import type { ToolFacts } from './worker-context.ts';

/** With the tools there are, a policy's examples are checked and unknown tools are denied: every run compiles so. */
export function compileOptions(tools: ToolFacts): CompileOptions {
  return { tools: tools.tools.tools, resourcesOf: tools.resourcesOf };
}
