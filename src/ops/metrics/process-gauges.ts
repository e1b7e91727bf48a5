import fs from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { GaugeName } from '../../contracts/metrics.ts';

/** What the process says of itself when it is asked: no timers run for it. */
export function processGauges(): readonly (readonly [GaugeName, () => number])[] {
  let last = performance.eventLoopUtilization();
  return [
    ['process_resident_memory_bytes', () => process.memoryUsage.rss()],
    ['process_heap_bytes', () => process.memoryUsage().heapUsed],
    ['process_cpu_seconds', () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6],
    ['process_start_time_seconds', () => performance.timeOrigin / 1000],
    ['process_open_fds', openFiles],
    [
      'event_loop_utilization_ratio',
      () => {
        const now = performance.eventLoopUtilization();
        const { utilization } = performance.eventLoopUtilization(now, last);
        last = now;
        return utilization;
      },
    ],
  ];
}

function openFiles(): number {
  return fs.existsSync('/proc/self/fd') ? fs.readdirSync('/proc/self/fd').length : Number.NaN;
}
