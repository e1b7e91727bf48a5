import { placelessReasonOf } from '../contracts/errors.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { McpServer } from './mcp-pin.ts';
import type { McpProcess, StartMcp } from './mcp/session.ts';

export interface McpSandboxOptions {
  /** Made for this server alone, with the network it was granted. It is stopped with the server. */
  readonly sandbox: () => Promise<Pick<Sandbox, 'exec' | 'stop'>>;
  /** By name of a secret: what stands in its place. */
  readonly placeholders: ReadonlyMap<string, string>;
  readonly onStderr?: (bytes: Uint8Array) => void;
}

/** Runs an MCP server as the one command of a sandbox. @throws what the sandbox throws: then nothing has run. */
export function startMcpInSandbox({ command, env = {} }: McpServer, options: McpSandboxOptions): StartMcp {
  return async ({ onStdout }) => {
    const sandbox = await options.sandbox();
    const input = new Input();
    const stopped = new AbortController();
    const ended = sandbox
      .exec(command, {
        env: secretFree(env, options.placeholders),
        stdin: input,
        signal: stopped.signal,
        onStdout: (bytes) => onStdout(Buffer.from(bytes)),
        // What it keeps of the output is not looked at.
        maxStdoutBytes: 1024,
        maxStderrBytes: 64 * 1024,
        ...(options.onStderr === undefined ? {} : { onStderr: options.onStderr }),
      })
      .then(
        (result) => `${result.end}${result.exitCode === undefined ? '' : ` with ${result.exitCode}`}`,
        (error: unknown) => placelessReasonOf(error),
      );
    const child: McpProcess = {
      write: (bytes) => input.push(bytes),
      ended,
      async stop() {
        input.end();
        stopped.abort();
        await ended;
        await sandbox.stop();
      },
    };
    return child;
  };
}

/** An environment in which each `{{secret:NAME}}` is the run's placeholder. A name that the run does not have stays as it is. */
export function secretFree(env: Readonly<Record<string, string>>, placeholders: ReadonlyMap<string, string>): Record<string, string> {
  const swap = (text: string): string =>
    text.replaceAll(/\{\{secret:([A-Z][A-Z0-9_]{0,62})\}\}/g, (whole, name: string) => placeholders.get(name) ?? whole);
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, swap(value)]));
}

/** Bytes that are written now and read when the program takes them. */
class Input implements AsyncIterable<Uint8Array> {
  readonly #waiting: Buffer[] = [];
  #isEnded = false;
  #wake: () => void = () => undefined;

  push(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
