import * as z from 'zod/mini';
import { boundaryClasses } from './isolation.ts';
import { runLimits } from './run.ts';
import { serveConfig } from './serve-config.ts';
import { agentSchedule } from './schedule.ts';
import { sandboxImage } from './sandbox-image.ts';
import { sandboxPool } from './sandbox-pool.ts';
import { whenRead } from './when-read.ts';

/**
 * The files a human writes. Every schema is strict: an unknown field is refused. Defaults are the safe choice, so an
 * empty file is valid and switches nothing risky on.
 */
const name = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a lower-case letter, then lower-case letters, digits or hyphens (63 at most)'));
const modelRef = z.string().check(z.regex(/^[a-z][a-z0-9-]*\/\S+$/, 'must be PROVIDER/MODEL, for example openai/gpt-4o-mini'));

const minimumClass = z.enum(boundaryClasses);
const whole = z.number().check(z.int(), z.positive());

/** `clawhold.yaml` */
export const clawholdConfig = z.strictObject({
  version: z.literal(1),
  /** Used where neither a flag nor the agent names a model. */
  model: z.optional(modelRef),
  limits: z.optional(z.partial(runLimits)),
  approvals: z.optional(
    whenRead(() =>
      z.strictObject({
        /** Default a day. */
        expiresMinutes: z.optional(z.number().check(z.int(), z.positive())),
        /** Who asked for a run does not answer its questions. Default false: one person may be all there is. */
        distinctApprover: z.optional(z.boolean()),
      }),
    ),
  ),
  egress: z.optional(
    whenRead(() =>
      z.strictObject({
        /** Servers on this machine, as `host:port`: the name is taken for 127.0.0.1, which otherwise nothing reaches. */
        loopback: z.array(
          z
            .string()
            .check(
              z.regex(
                /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+:[1-9][0-9]{0,4}$/,
                'must be host:port in lower case',
              ),
            ),
        ),
      }),
    ),
  ),
  /** How containers are made on this machine. */
  sandbox: z.optional(
    whenRead(() =>
      z.strictObject({
        /** Default podman. */
        engine: z.optional(z.enum(['podman', 'docker'])),
        /** `runsc` is gVisor. */
        runtime: z.optional(z.enum(['runc', 'runsc'])),
        image: z.optional(sandboxImage),
        /** Sandboxes that a process for many runs starts ahead. */
        pool: z.optional(sandboxPool),
      }),
    ),
  ),
  redaction: z.optional(
    whenRead(() =>
      z.strictObject({
        /** JavaScript regular expressions; the whole match is hidden. */
        patterns: z.array(z.strictObject({ name, regex: z.string() })),
      }),
    ),
  ),
  /** `clawhold serve`. */
  serve: z.optional(serveConfig),
});
export type ClawholdConfig = z.infer<typeof clawholdConfig>;

/** `llm.yaml` */
export const llmConfig = z.strictObject({
  version: z.literal(1),
  providers: z.record(
    name,
    z.strictObject({
      /** `openai`: any server with /chat/completions. `scripted`: a YAML script of turns, no network. */
      wire: z.enum(['openai', 'anthropic', 'scripted']),
      baseUrl: z.optional(z.url()),
      /** Name of the environment variable that holds the key; never the key. */
      keyEnv: z.optional(z.string().check(z.regex(/^[A-Z][A-Z0-9_]*$/, 'must be the NAME of an environment variable'))),
      /** For `scripted`: path of the script, relative to the home; absent: the built-in demo script. */
      script: z.optional(z.string()),
      /** Seconds until the answer's first byte (default 120), and between two parts of it (default 60). */
      firstByteSeconds: z.optional(z.number().check(z.positive())),
      idleSeconds: z.optional(z.number().check(z.positive())),
    }),
  ),
  /** By `PROVIDER/MODEL`. */
  models: z.optional(
    z.record(
      modelRef,
      z.strictObject({
        contextTokens: z.optional(z.number().check(z.int(), z.positive())),
        maxOutputTokens: z.optional(z.number().check(z.int(), z.positive())),
        /** US dollars for a million tokens. */
        inputPer1M: z.optional(z.number().check(z.nonnegative())),
        outputPer1M: z.optional(z.number().check(z.nonnegative())),
      }),
    ),
  ),
});
export type LlmConfig = z.infer<typeof llmConfig>;

const stringList = z.array(z.string().check(z.minLength(1)));

/** What a command may be: read word by word, never as shell text. */
const commandBounds = {
  /** `npm test`, `git log **`, or a list of exact words. */
  commands: z.optional(z.array(z.union([z.string().check(z.minLength(1)), stringList.check(z.minLength(1))])).check(z.minLength(1))),
  /** Globs of the folder it starts in, beneath the workspace; `.` is the workspace itself. */
  cwd: z.optional(stringList),
  /** Names of the environment variables that the call may set. */
  env: z.optional(z.array(z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the NAME of an environment variable')))),
  /** Longest wall time of one command. */
  seconds: z.optional(z.number().check(z.positive())),
};

/** Bounds of one grant. All that are given must hold. An empty object grants the tool within the roots. */
export const grant = z.strictObject({
  /** Globs beneath the workspace, or `root:glob`. Absent: the whole of the roots that the tool may touch. */
  paths: z.optional(stringList),
  /** Hosts, `host` or `host:port`; `*.example.org` for its subdomains. */
  hosts: z.optional(stringList),
  methods: z.optional(stringList),
  /** Argument name to the values or globs that it may have. */
  args: z.optional(z.record(z.string(), stringList)),
  ...commandBounds,
  /** A human is asked for each call. */
  ask: z.optional(z.boolean()),
  /** Calls that this grant must and must not cover, by their arguments; checked at load. */
  examples: z.optional(
    z.strictObject({
      match: z.optional(z.array(z.record(z.string(), z.json()))),
      skip: z.optional(z.array(z.record(z.string(), z.json()))),
    }),
  ),
});
export type Grant = z.infer<typeof grant>;

/** `agents/<id>/agent.yaml` */
export const agentConfig = z.strictObject({
  version: z.literal(1),
  description: z.optional(z.string()),
  model: z.optional(modelRef),
  /** The writable root: relative to the folder that holds `.clawhold`. Default `workspace`. */
  workspace: z.optional(z.string()),
  /** Named read-only roots: `repo: ../project` is reached as `repo:src/main.ts`. */
  roots: z.optional(z.record(name, z.string())),
  /** What `clawhold run` does when no input is given. */
  task: z.optional(z.string()),
  /** By tool name. What is not here is denied. */
  grants: z.optional(z.record(z.string(), z.union([grant, z.array(grant)]))),
  /** Names in `memory/` that the agent may edit; it reads all of it anyway. */
  memory: z.optional(z.array(name)),
  limits: z.optional(z.partial(runLimits)),
  /** MCP servers by name: each runs in a sandbox of its own, and offers only the tools that a human pinned. */
  mcp: z.optional(
    whenRead(() =>
      z.record(
        name,
        z.strictObject({
          /** Program and arguments; no shell reads them. */
          command: z.array(z.string()).check(z.minLength(1)),
          /** Its whole environment; `{{secret:NAME}}` becomes a placeholder, never the secret. */
          env: z.optional(
            z.record(z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')), z.string()),
          ),
          /** Seen, read-only, as /opt/mcp: where its program lies. Relative to the folder that holds `.clawhold`. */
          folder: z.optional(z.string()),
          /** Hosts that it may reach. Absent: none. */
          hosts: z.optional(stringList),
          /** The weakest sandbox that it may run in; the strictest of all that are named holds. */
          minimum: z.optional(minimumClass),
        }),
      ),
    ),
  ),
  /** Where its commands run; without a grant of a tool that runs commands it means nothing. */
  sandbox: z.optional(
    whenRead(() =>
      z.strictObject({
        /** A named driver is used or refused, never replaced. Default `auto`: the strongest that works. */
        driver: z.optional(z.enum(['auto', 'bwrap', 'oci', 'none'])),
        minimum: z.optional(minimumClass),
        /** Default `none`. With hosts, the broker's proxy is the only way out, and it leads to them alone. */
        network: z.optional(
          z.union([
            z.enum(['none']),
            z.strictObject({
              hosts: z
                .array(z.string().check(z.regex(/^[a-z0-9.-]+(:[0-9]{1,5})?$/, 'must be host or host:port, without patterns')))
                .check(z.minLength(1)),
              /** Given: traffic is inspected, and only these methods pass. */
              methods: z.optional(stringList),
            }),
          ]),
        ),
        image: z.optional(sandboxImage),
        /** Of all commands of a run together. */
        limits: z.optional(
          z.strictObject({
            memoryMiB: z.optional(whole),
            cpus: z.optional(z.number().check(z.positive())),
            pids: z.optional(whole),
            openFiles: z.optional(whole),
            diskMiB: z.optional(whole),
            outputMiB: z.optional(whole),
            seconds: z.optional(whole),
          }),
        ),
      }),
    ),
  ),
  /** Its standing task at fixed times; the scheduler of `serve` follows it. */
  schedule: z.optional(agentSchedule),
  /** `labels` (default): destinations and selectors from trusted text. `strict`: the rule of two besides. */
  flow: z.optional(z.enum(['labels', 'strict'])),
});
export type AgentConfig = z.infer<typeof agentConfig>;

/** A rule of a platform or tenant policy: exactly one of allow, ask, deny. */
export const policyRule = z
  .strictObject({
    id: z.string().check(z.regex(/^[a-z0-9][a-z0-9.-]{0,62}$/)),
    /** Tool globs: `fs.read`, `fs.*`, `*`. */
    allow: z.optional(z.union([z.string(), stringList])),
    ask: z.optional(z.union([z.string(), stringList])),
    deny: z.optional(z.union([z.string(), stringList])),
    paths: z.optional(stringList),
    hosts: z.optional(stringList),
    methods: z.optional(stringList),
    args: z.optional(z.record(z.string(), stringList)),
    ...commandBounds,
    agents: z.optional(stringList),
    effects: z.optional(z.array(z.enum(['read', 'private', 'mutating', 'outside']))),
    /** For people: why the rule exists. Shown with every denial. */
    why: z.optional(z.string()),
    examples: z.optional(
      z.strictObject({
        match: z.optional(z.array(z.strictObject({ tool: z.string(), args: z.optional(z.record(z.string(), z.json())) }))),
        skip: z.optional(z.array(z.strictObject({ tool: z.string(), args: z.optional(z.record(z.string(), z.json())) }))),
      }),
    ),
  })
  .check(
    z.refine((rule) => [rule.allow, rule.ask, rule.deny].filter((given) => given !== undefined).length === 1, {
      message: 'must have exactly one of allow, ask and deny',
    }),
  );
export type PolicyRule = z.infer<typeof policyRule>;

/** `policies/platform.yaml` and `tenants/<tenant>/policy.yaml` */
export const policyFile = z.strictObject({
  version: z.literal(1),
  /** `strict` switches the rule of two on for every agent below. */
  flow: z.optional(z.enum(['labels', 'strict'])),
  /** Values that destinations and selectors may always have, beside what the user said. */
  trusted: z.optional(stringList),
  /** The weakest sandbox that commands may run in; the strictest of all layers holds. */
  sandbox: z.optional(z.strictObject({ minimum: minimumClass })),
  rules: z.optional(z.array(policyRule)),
});
export type PolicyFile = z.infer<typeof policyFile>;

export const defaultLimits = { turns: 40, seconds: 900, toolCalls: 200, tokens: 1_000_000, usd: 5 } as const;
