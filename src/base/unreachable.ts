/** The default of an exhaustive switch: a new member of the union must fail to compile here. */
export function unreachable(value: never): never {
  throw new TypeError(`Unreachable case ${JSON.stringify(value)}`);
}
