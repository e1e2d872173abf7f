/** What a process and its children use, read from /proc (Linux). */
import { readFileSync, readdirSync } from 'node:fs';

/** The kernel's unit of processor time; 100 on every Linux that matters. */
const TICKS_PER_SECOND = 100;

type Stat = { readonly pid: number; readonly parent: number; readonly ticks: number };

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // Of all threads, and of children that have ended and were waited for.
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at] ?? 0), 0);
    return { pid, parent: Number(fields[1] ?? 0), ticks };
  } catch {
    return undefined;
  }
}

function family(pids: readonly number[]): readonly Stat[] {
  const all = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
    .map(statOf)
    .filter((stat) => stat !== undefined);
  const members = new Set(pids);
  for (let size = -1; size !== members.size;) {
    size = members.size;
    for (const { pid, parent } of all) if (members.has(parent)) members.add(pid);
  }
  return all.filter(({ pid }) => members.has(pid));
}

/** Processor seconds of these processes and all that came of them, living or dead. */
export function cpuSeconds(pids: readonly number[]): number {
  return family(pids).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND;
}

export type Memory = { readonly rssMib: number; readonly pssMib: number; readonly privateMib: number };

/** Memory of these processes and their children, in MiB. */
export function memoryOf(pids: readonly number[]): Memory {
  const sum = { rss: 0, pss: 0, private: 0 };
  for (const { pid } of family(pids)) {
    let text = '';
    try {
      text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    } catch {
      continue;
    }
    const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    sum.rss += kib('Rss');
    sum.pss += kib('Pss');
    sum.private += kib('Private_Clean') + kib('Private_Dirty');
  }
  const mib = (value: number): number => Number((value / 1024).toFixed(1));
  return { rssMib: mib(sum.rss), pssMib: mib(sum.pss), privateMib: mib(sum.private) };
}

export function familyPids(pids: readonly number[]): readonly number[] {
  return family(pids).map(({ pid }) => pid);
}
