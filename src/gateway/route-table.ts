import type { Route } from './route.ts';
import { listAgents, showAgent } from './routes/agent-routes.ts';
import { answerApproval, listApprovals, showApproval } from './routes/approval-routes.ts';
import { listArtifacts, readArtifact } from './routes/artifact-routes.ts';
import { health, metrics, readiness } from './routes/health-routes.ts';
import { followRun } from './routes/run-events.ts';
import { listRuns, showRun, startRun, stopRun } from './routes/run-routes.ts';
import { listSessions, showSession } from './routes/session-routes.ts';

/** Every route that the gateway has, and who may use it. There is no other. */
export function routeTable(): readonly Route[] {
  return [
    health,
    readiness,
    metrics,
    startRun,
    listRuns,
    showRun,
    followRun,
    listArtifacts,
    readArtifact,
    stopRun,
    listSessions,
    showSession,
    listAgents,
    showAgent,
    listApprovals,
    showApproval,
    answerApproval,
  ];
}
