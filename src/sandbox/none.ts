import { SandboxUnavailableError } from './sandbox-error.ts';
import type { SandboxDriver } from './sandbox.ts';

const reason = 'it is the driver that never executes anything';
const remedy = 'Choose another driver in the configuration to give agents a shell';

/** The driver of an installation without a sandbox: with it there is no shell. */
export function openNone(): SandboxDriver {
  return {
    name: 'none',
    capabilities: {
      isolation: 'none',
      snapshot: false,
      restore: false,
      egressSocket: false,
      persistentExec: false,
      image: false,
      idleMemoryBytes: 0,
    },
    probe: async () => Promise.resolve({ works: false, driver: 'none', isolation: 'none', reason, remedy }),
    [Symbol.asyncDispose]: async () => {},
    start: async () => Promise.reject(new SandboxUnavailableError('none', reason, remedy)),
  };
}
