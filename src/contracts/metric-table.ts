/** What one metric counts, and by which labels. */
export interface MetricRow {
  readonly help: string;
  readonly labels: readonly string[];
}

export interface HistogramRow extends MetricRow {
  /** Upper bounds in seconds. */
  readonly buckets: readonly number[];
}

const quick = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
const slow = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600] as const;

/** Names are Prometheus', without the prefix `clawhold_`. Labels have few values by nature, or are bounded by the registry. */
export const counters = {
  http_requests_total: { help: 'Requests that the gateway answered, by route template.', labels: ['method', 'route', 'status'] },
  auth_failures_total: { help: 'Requests that were refused because nobody could be recognised.', labels: ['reason'] },
  rate_limited_total: { help: 'Requests that were refused because there were too many.', labels: ['tenant'] },
  admissions_total: { help: 'Requests for runs, by outcome and code of refusal.', labels: ['tenant', 'outcome', 'code'] },
  runs_total: { help: 'Runs that ended or parked, by the state they reached.', labels: ['tenant', 'state', 'door'] },
  tasks_total: { help: 'Deliveries of tasks that ended: done, retried, dead, or lost with their lease.', labels: ['tenant', 'outcome'] },
  leases_lost_total: { help: 'Holders that found their lease given on and stopped.', labels: ['tenant'] },
  executor_restarts_total: { help: 'Executor processes that died and were started again.', labels: ['reason'] },
  model_requests_total: { help: 'Calls of models, by outcome.', labels: ['tenant', 'model', 'outcome'] },
  model_tokens_total: { help: 'Tokens that models read (input) and wrote (output).', labels: ['tenant', 'model', 'direction'] },
  model_cost_usd_total: { help: 'What models cost, in US dollars.', labels: ['tenant', 'model'] },
  tool_calls_total: { help: 'Tool calls, by decision of the policy.', labels: ['tenant', 'tool', 'decision'] },
  broker_grants_total: { help: 'Credentials and connections that the broker granted.', labels: ['tenant'] },
  broker_denials_total: { help: 'Credentials and connections that the broker refused.', labels: ['tenant', 'reason'] },
  schedule_fires_total: {
    help: 'Slots of schedules: fired, failed because their run was refused, or skipped; slots that were missed together count once.',
    labels: ['tenant', 'outcome'],
  },
  webhooks_total: { help: 'Calls of webhook triggers: accepted, refused, or busy.', labels: ['outcome'] },
  scrape_errors_total: { help: 'Readers of gauges that failed or took too long during a scrape.', labels: ['metric'] },
} as const satisfies Readonly<Record<string, MetricRow>>;

export const histograms = {
  http_request_duration_seconds: {
    help: 'From a request to the end of its answer; streams until they close.',
    labels: ['method', 'route'],
    buckets: quick,
  },
  turn_duration_seconds: { help: 'From a request to the end of the turn that it asked for.', labels: ['tenant'], buckets: slow },
  task_wait_seconds: { help: 'From ready to leased.', labels: ['tenant'], buckets: quick },
  task_duration_seconds: { help: 'From leased to the end of the delivery.', labels: ['tenant', 'outcome'], buckets: slow },
  model_request_duration_seconds: { help: 'From a model call to the end of its answer.', labels: ['model'], buckets: slow },
} as const satisfies Readonly<Record<string, HistogramRow>>;

/** Read when somebody asks, from whoever knows. */
export const gauges = {
  queue_tasks: { help: 'Tasks on the queue: scheduled, ready, leased, dead.', labels: ['tenant', 'state'] },
  queue_oldest_ready_seconds: { help: 'How long the oldest ready task has waited.', labels: ['tenant'] },
  executors: { help: 'Executor slots: busy, idle.', labels: ['state'] },
  sandboxes: { help: 'Sandboxes that exist.', labels: ['tenant'] },
  approvals_open: { help: 'Questions that wait for a human.', labels: ['tenant'] },
  event_listeners: { help: 'Open streams of events.', labels: [] },
  ready: { help: '1 when every dependency answers.', labels: [] },
  build_info: { help: 'Always 1; the labels say what runs.', labels: ['version', 'build', 'node'] },
  process_resident_memory_bytes: { help: 'Memory of the process.', labels: [] },
  process_heap_bytes: { help: 'JavaScript heap in use.', labels: [] },
  process_cpu_seconds: { help: 'Processor time since the start, user and system.', labels: [] },
  process_start_time_seconds: { help: 'Start, in seconds since the epoch.', labels: [] },
  process_open_fds: { help: 'Open file descriptors.', labels: [] },
  event_loop_utilization_ratio: { help: 'Share of the time since the last scrape in which the process worked.', labels: [] },
} as const satisfies Readonly<Record<string, MetricRow>>;

export type CounterName = keyof typeof counters;
export type HistogramName = keyof typeof histograms;
export type GaugeName = keyof typeof gauges;
