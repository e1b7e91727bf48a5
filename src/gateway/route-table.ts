import type { Route } from './route.ts';
import { listAgents, showAgent } from './routes/agent-routes.ts';
import { answerApproval, listApprovals, showApproval } from './routes/approval-routes.ts';
import { listArtifacts, readArtifact } from './routes/artifact-routes.ts';
import { descriptionRoutes } from './routes/description-routes.ts';
import { health, metrics, readiness } from './routes/health-routes.ts';
import { listProjects } from './routes/project-routes.ts';
import { followRun } from './routes/run-events.ts';
import { listRuns, resumeRun, showRun, startRun, stopRun } from './routes/run-routes.ts';
import { queryLedger, verifyLedgerRoute } from './routes/ledger-routes.ts';
import { createChatCompletion, listModels, showModel } from './routes/openai-routes.ts';
import { listTasks, pauseQueue, queueStatus, requeueTasks, resumeQueue } from './routes/queue-routes.ts';
import {
  addSchedule,
  listSchedules,
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  runSchedule,
  showSchedule,
} from './routes/schedule-routes.ts';
import { listSessions, showSession } from './routes/session-routes.ts';
import { listTenants, showTenant } from './routes/tenant-routes.ts';
import { listPassages, listWorkflows, runWorkflow, showPassage } from './routes/workflow-routes.ts';
import { callWebhook } from './routes/webhook-route.ts';
import { createToken, listTokens, revokeToken, rotateToken } from './routes/token-routes.ts';

/** Every route that the gateway has, and who may use it. There is no other. */
export function routeTable(): readonly Route[] {
  const table: readonly Route[] = [
    health,
    readiness,
    ...descriptionRoutes(() => table),
    metrics,
    ...runs,
    ...approvals,
    listProjects,
    listWorkflows,
    runWorkflow,
    listPassages,
    showPassage,
    ...schedules,
    ...queue,
    queryLedger,
    verifyLedgerRoute(),
    ...tokens,
    callWebhook,
    createChatCompletion,
    listModels,
    showModel,
    listTenants,
    showTenant,
  ];
  return table;
}

const runs = [
  startRun,
  listRuns,
  showRun,
  followRun,
  listArtifacts,
  readArtifact,
  stopRun,
  resumeRun,
  listSessions,
  showSession,
  listAgents,
  showAgent,
];
const approvals = [listApprovals, showApproval, answerApproval];
const schedules = [listSchedules, addSchedule, showSchedule, removeSchedule, pauseSchedule, resumeSchedule, runSchedule];
const queue = [queueStatus, listTasks, requeueTasks, pauseQueue, resumeQueue];
const tokens = [listTokens, createToken, revokeToken, rotateToken];
