/**
 * How strongly a sandbox separates a command from the host, weakest first. Each is at least what stands before it.
 *
 * - `none`: nothing is executed at all;
 * - `process`: another process of the same kernel view, at most with resource limits: no boundary;
 * - `namespace`: own kernel namespaces, no capabilities, a system call filter (bubblewrap);
 * - `container`: the same behind an OCI runtime, with its own root file system;
 * - `user-kernel`: system calls are answered by a kernel in user space (gVisor);
 * - `microvm`: a real kernel of its own on virtual hardware.
 */
export const isolationClasses = ['none', 'process', 'namespace', 'container', 'user-kernel', 'microvm'] as const;
export type IsolationClass = (typeof isolationClasses)[number];

/** Classes that a human may ask for: the first two are no boundary, so nothing runs in them. */
export const boundaryClasses = ['namespace', 'container', 'user-kernel', 'microvm'] as const satisfies readonly IsolationClass[];
export type BoundaryClass = (typeof boundaryClasses)[number];

export function reachesClass(actual: IsolationClass, minimum: IsolationClass): boolean {
  return isolationClasses.indexOf(actual) >= isolationClasses.indexOf(minimum);
}

/** The strictest of several minimums; the weakest boundary when nobody demands more. */
export function strictestClass(...minimums: readonly (BoundaryClass | undefined)[]): BoundaryClass {
  return minimums.reduce<BoundaryClass>(
    (strictest, one) => (one !== undefined && reachesClass(one, strictest) ? one : strictest),
    'namespace',
  );
}

/** Where every driver shows the workspace to a command. */
export const workspaceInside = '/workspace';

/** Where a run's commands would run; pinned when the run is accepted. */
export type SandboxFacts =
  | {
      readonly available: true;
      readonly driver: string;
      readonly isolation: IsolationClass;
      /** `egress`: the broker's sockets are the only way out. */
      readonly network: 'none' | 'egress';
    }
  | { readonly available: false; readonly reason: string };
