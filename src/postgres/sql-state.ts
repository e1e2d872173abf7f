/** What an error of the database means: SQLSTATE codes, PostgreSQL's appendix A. */
import { Fault } from '../base/fault.ts';

/** Another transaction got in the way and this one was undone: it may be run again. */
const RETRYABLE = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
]);

/** Classes of a statement that is wrong, or of data that breaks a rule of the tables: our own bug. */
const BUG_CLASSES = new Set([
  '0A', // feature_not_supported
  '21', // cardinality_violation
  '22', // data_exception
  '23', // integrity_constraint_violation
  '26', // invalid_sql_statement_name
  '42', // syntax_error_or_access_rule_violation
]);

/** Of class 42, what the person who runs the database can put right. */
const OPERATORS = new Set([
  '42501', // insufficient_privilege
]);

/** The five letters; `undefined` where the database itself said nothing: no way to it, or no answer in time. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

export function isRetryable(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && RETRYABLE.has(state);
}

/** A `Fault` for what the world can suffer; a bug stays what it is. */
export function toFault(doing: string, cause: unknown): unknown {
  if (cause instanceof TypeError || cause instanceof Fault) return cause;
  const state = sqlState(cause) ?? '';
  return BUG_CLASSES.has(state.slice(0, 2)) && !OPERATORS.has(state) ? cause : new Fault(doing, cause);
}
