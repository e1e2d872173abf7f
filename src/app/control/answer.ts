/** Answers one request from the table of methods, whatever it holds. */
import { Fault } from '../../base/fault.ts';
import { err } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import { BadRequest, Fields } from './fields.ts';
import { METHODS, isControlMethod } from './methods.ts';
import type { ControlPorts } from './methods.ts';
import type { ControlProblem } from './problem.ts';

/**
 * @param onBug told what was thrown that should not have been; the asker hears only that it failed
 */
export async function answer(
  method: unknown,
  params: unknown,
  ports: ControlPorts,
  onBug: (error: unknown) => void,
): Promise<Result<unknown, ControlProblem>> {
  if (!isControlMethod(method))
    return err({
      kind: 'unknown-method',
      message: `No method ${JSON.stringify(String(method).slice(0, 60))}`,
    });
  try {
    return await METHODS[method](new Fields(params), ports);
  } catch (cause) {
    if (cause instanceof BadRequest) return err({ kind: 'bad-request', message: cause.message });
    if (cause instanceof Fault) return err({ kind: 'fault', message: describeFault(cause) });
    onBug(cause);
    return err({ kind: 'fault', message: `${method} failed; the log says why` });
  }
}

/** Whoever reaches the control socket owns the server: the cause is theirs to know. */
function describeFault(fault: Fault): string {
  return fault.cause instanceof Error ? `${fault.message}: ${fault.cause.message}` : fault.message;
}
