import * as z from 'zod/mini';
import { whenRead } from './when-read.ts';

/** `serve:` in `clawhold.yaml`. Everything has a safe default; an empty object is `clawhold serve` as it comes. Built when it is first used. */
export const serveConfig = whenRead(() => makeServeConfig());

function makeServeConfig() {
  const whole = z.number().check(z.int(), z.positive());
  return z.strictObject({
    /** Default 127.0.0.1. Others only as the invariant on listeners allows. */
    host: z.optional(z.string()),
    /** Default 8787; 0 takes any free one. */
    port: z.optional(z.number().check(z.int(), z.nonnegative(), z.maximum(65_535))),
    /** Host names that requests may name beside the loopback's, against DNS rebinding. */
    hosts: z.optional(z.array(z.string())),
    executors: z.optional(
      z.strictObject({
        /** Runs at the same time in the server's own process. Default 8; with child processes none, unless it is set. */
        concurrency: z.optional(whole),
        /** Child processes that execute. Default 0. */
        processes: z.optional(z.number().check(z.int(), z.nonnegative(), z.maximum(256))),
        /** Runs at the same time in one child process. Default 1: what kills the process ends no other run there. */
        perProcess: z.optional(whole),
        /** Of one child process: mebibytes. Default 512. */
        memoryMb: z.optional(whole),
        /** A child without work ends after so many seconds, and starts again when work arrives. Absent: it stays. */
        idleSeconds: z.optional(whole),
      }),
    ),
    queue: z.optional(
      z.strictObject({
        /** How long a lease holds without a heartbeat. Default 30. */
        leaseSeconds: z.optional(z.number().check(z.positive())),
        /** After so many deliveries a task is dead. Default 5. */
        maxDeliveries: z.optional(whole),
      }),
    ),
    /** How long a stop waits for running work before it parks it. Default 30. */
    drainSeconds: z.optional(z.number().check(z.nonnegative())),
    webhooks: z.optional(webhooks()),
    telemetry: z.optional(
      z.strictObject({
        /** OTLP over HTTP; the environment's OTEL_EXPORTER_OTLP_ENDPOINT counts too. Absent: no traces are made. */
        endpoint: z.optional(z.url()),
        logLevel: z.optional(z.enum(['debug', 'info', 'warn', 'error'])),
      }),
    ),
  });
}
function webhooks() {
  const whole = z.number().check(z.int(), z.positive());
  const name = z
    .string()
    .check(z.regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a lower-case letter, then lower-case letters, digits or hyphens'));
  return z.strictObject({
    /** By name: which agent a signed POST to /hooks/NAME starts. Absent: there is no such route. */
    triggers: z.record(
      z.string().check(z.regex(/^[a-z][a-z0-9-]{0,62}$/)),
      z
        .strictObject({
          tenant: z.optional(name),
          /** Either this, or `workflow`. */
          agent: z.optional(name),
          workflow: z.optional(name),
          /** Name of the secret that signs: HMAC-SHA-256 over time and body. */
          secret: z.string().check(z.regex(/^[A-Z][A-Z0-9_]{0,62}$/, 'must be the NAME of a secret')),
          /** Addresses that may call, as CIDR. Default loopback only. */
          from: z.optional(
            z.array(
              z.string().check(z.regex(/^[0-9a-fA-F:.]{2,45}(\/[0-9]{1,3})?$/, 'must be an address or a range such as 192.0.2.0/24')),
            ),
          ),
          /** Default 10. */
          perMinute: z.optional(whole),
          message: z.optional(z.string()),
          /** A project of the tenant and one of its lanes: the agent works in the project's repo. Both or neither. */
          project: z.optional(name),
          lane: z.optional(name),
        })
        .check(
          z.refine(
            ({ agent, workflow }) => (agent === undefined) !== (workflow === undefined),
            'must have exactly one of agent and workflow',
          ),
          z.refine(({ project, lane }) => (project === undefined) === (lane === undefined), 'must have project and lane, or neither'),
          z.refine(
            ({ workflow, project }) => workflow === undefined || project === undefined,
            'must have no project beside a workflow, whose steps name theirs',
          ),
        ),
    ),
  });
}

export type ServeConfig = z.infer<typeof serveConfig>;
