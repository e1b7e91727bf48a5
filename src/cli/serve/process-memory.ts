import fs from 'node:fs';

/** What a process holds for itself alone, also where it was moved to swap: bytes. Undefined where the kernel does not tell. */
export function memoryOf(pid: number): number | undefined {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const kibibytes = [...status.matchAll(/^(?:RssAnon|VmSwap):\s+(\d+) kB$/gm)].map(([, digits]) => Number(digits));
    return kibibytes.length === 0 ? undefined : kibibytes.reduce((sum, some) => sum + some, 0) * 1024;
  } catch {
    // silent-ok: it has ended, or this system has no /proc.
    return undefined;
  }
}

/** When the whole machine runs out of memory, the kernel takes this process and what it starts before the server. */
export function offerToKernel(pid: number): void {
  try {
    fs.writeFileSync(`/proc/${pid}/oom_score_adj`, '500');
  } catch {
    // silent-ok: it has ended, or this system has no such choice.
  }
}
