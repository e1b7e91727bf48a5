import { systemClock } from '../../contracts/clock.ts';
import { admit, type AdmitContext } from '../../control/admit.ts';
import { fireWebhook, newRefusalCount, type WebhookAnswer, type WebhookCall, type WebhookContext } from '../../control/webhook.ts';
import { startWorkflow } from '../../control/workflows.ts';
import { openWebhookCalls } from '../../state/webhook-calls.ts';
import { openWorkflows } from '../../state/workflows.ts';
import type { Installation } from './open-installation.ts';
import type { ServeTools } from './serve-tools.ts';

export interface WebhookParts extends ServeTools {
  readonly installation: Installation;
  readonly admission: AdmitContext;
}

/** The webhooks of one installation, with the triggers as the configuration is now. */
export function serveWebhooks({ installation, admission, log, metrics }: WebhookParts): (call: WebhookCall) => Promise<WebhookAnswer> {
  const { home, database, appOf, ledgerOf } = installation;
  const passages = { home, workflows: openWorkflows(database), clock: systemClock, ledger: ledgerOf };
  const ctx: WebhookContext = {
    triggers: () => installation.serve().webhooks?.triggers,
    calls: openWebhookCalls(database),
    clock: systemClock,
    log,
    metrics,
    ledger: ledgerOf,
    admit: async (principal, request) => await admit(admission, principal, request),
    secret: async (tenant, name) => (await (await appOf(tenant).secrets()).get(tenant, name))?.value,
    workflow: async (start) => (await startWorkflow(passages, start)).id,
    refusals: newRefusalCount(),
  };
  return async (call) => await fireWebhook(ctx, call);
}
