/** A database and a data directory that do not belong together, or tables of a newer version. Nothing was changed. */
export class PostgresRefused extends Error {
  override readonly name = 'PostgresRefused';
}
