/** What can be asked of traces from outside the protocols. */
import { err, ok, type Result } from '../../base/result.ts';
import { findTrace, searchTraces, type TraceSearch } from '../../trace/search.ts';
import { TRACE_OUTCOMES } from '../../trace/story.ts';
import type { TraceReader } from '../../trace/trace-store.ts';
import { BadRequest, type Fields } from './fields.ts';
import { directoryProblem, type ControlProblem } from './problem.ts';
import { viewTrace, viewTraceSummary } from './trace-view.ts';
import type { TraceFilterView, TraceSummaryView, TraceView } from './trace-view.ts';

export type TraceMethods = {
  /** By its id or the beginning of it. */
  'trace.show': { params: { readonly id: string }; result: { readonly trace: TraceView } };
  'trace.find': {
    params: TraceFilterView & { readonly before?: string; readonly limit?: number };
    /** `next`: for `before`, where there may be more. */
    result: { readonly traces: readonly TraceSummaryView[]; readonly next: string | null };
  };
};

export type TraceControlPorts = { traces(): Promise<TraceReader> };

type Run<Method extends keyof TraceMethods> = (
  fields: Fields,
  ports: TraceControlPorts,
) => Promise<Result<TraceMethods[Method]['result'], ControlProblem>>;

export const TRACE_METHODS: { readonly [Method in keyof TraceMethods]: Run<Method> } = {
  'trace.show': async (fields, ports) => {
    const id = fields.text('id');
    fields.end();
    if (!/^[0-9A-Za-z]{1,40}$/.test(id))
      throw new BadRequest(`${JSON.stringify(id.slice(0, 60))} is no trace id`);
    const found = await findTrace(await ports.traces(), id);
    if (found === 'unknown') return err(directoryProblem({ kind: 'not-found' }, id));
    if (found === 'ambiguous') return err({ kind: 'ambiguous', message: `Several traces begin with ${id}` });
    return ok({ trace: viewTrace(found) });
  },
  'trace.find': async (fields, ports) => {
    const search = readSearch(fields);
    const before = fields.optionalText('before');
    const { limit } = fields.page();
    fields.end();
    const { traces, next } = await searchTraces(await ports.traces(), search, { before, limit });
    return ok({ traces: traces.map(viewTraceSummary), next: next ?? null });
  },
};

function readSearch(fields: Fields): TraceSearch {
  const address = fields.optionalText('address');
  const client = fields.optionalText('client');
  const messageId = fields.optionalText('messageId');
  const sinceMs = fields.whole('sinceMs');
  const untilMs = fields.whole('untilMs');
  const direction = fields.oneOf('direction', ['in', 'out'] as const);
  const outcome = fields.oneOf('outcome', TRACE_OUTCOMES);
  return {
    ...(address === undefined ? {} : { address }),
    ...(client === undefined ? {} : { client }),
    ...(messageId === undefined ? {} : { messageId }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(direction === undefined ? {} : { direction }),
    ...(outcome === undefined ? {} : { outcome }),
  };
}
