/** How many files and sockets the system lets this process have open, and what of it connections may take. */
import { readFileSync } from 'node:fs';

/** Undefined where the system does not say. Source: proc_pid_limits(5). */
export function descriptorsMax(): number | undefined {
  try {
    const soft = /^Max open files +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
  } catch {
    return reportedMax();
  }
}

/** Elsewhere node's own report knows it. */
function reportedMax(): number | undefined {
  const report: unknown = process.report.getReport();
  if (!isRecord(report) || !isRecord(report['userLimits'])) return undefined;
  const open = report['userLimits']['open_files'];
  return isRecord(open) && typeof open['soft'] === 'number' ? open['soft'] : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** For databases, segments, threads and questions to the DNS; and of what is left, a share for deliveries. */
const OWN_DESCRIPTORS = 144;
const OWN_SHARE = 8;
const CONNECTIONS_MIN = 16;

/** Connections that may stand at once so that the disk and the next hops are never refused a descriptor. */
export function connectionsWithin(connectionsMax: number, descriptors: number | undefined): number {
  if (descriptors === undefined) return connectionsMax;
  const left = descriptors - OWN_DESCRIPTORS - Math.ceil(descriptors / OWN_SHARE);
  return Math.min(connectionsMax, Math.max(CONNECTIONS_MIN, left));
}
