/** Reads the parameters of a request, field by field; what is not as it should be throws `BadRequest`. */
import { LIMITS } from '../../base/limits.ts';

/** Caught where requests are answered; it never leaves the control code. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

export class Fields {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #read = new Set<string>();

  constructor(params: unknown) {
    if (params !== undefined && !isObject(params)) throw new BadRequest('params is not an object');
    this.#values = new Map(Object.entries(params ?? {}));
  }

  text(name: string): string {
    return this.optionalText(name) ?? missing(name);
  }

  optionalText(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined || typeof value === 'string') return value;
    throw new BadRequest(`${name} is not text`);
  }

  textOrNull(name: string): string | null | undefined {
    return this.#values.get(name) === null ? (this.#read.add(name), null) : this.optionalText(name);
  }

  flag(name: string): boolean | undefined {
    const value = this.#take(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw new BadRequest(`${name} is not true or false`);
  }

  /** A whole number from 0. */
  whole(name: string): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw new BadRequest(`${name} is not a whole number`);
  }

  integer(name: string): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    throw new BadRequest(`${name} is not a whole number`);
  }

  wholeOrNull(name: string): number | null | undefined {
    return this.#values.get(name) === null ? (this.#read.add(name), null) : this.whole(name);
  }

  texts(name: string): readonly string[] {
    const value = this.#take(name);
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
    throw new BadRequest(`${name} is not a list of texts`);
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.optionalText(name);
    const found = choices.find((choice) => choice === value);
    if (value === undefined || found !== undefined) return found;
    throw new BadRequest(`${name} is none of ${choices.join(', ')}`);
  }

  /** How much of a list, from where. */
  page(): { readonly after: string | undefined; readonly limit: number } {
    const limit = this.whole('limit') ?? LIMITS.controlPageMax;
    if (limit < 1 || limit > LIMITS.controlPageMax)
      throw new BadRequest(`limit is not 1 to ${LIMITS.controlPageMax}`);
    return { after: this.optionalText('after'), limit };
  }

  /** A field that nobody asked for is a mistake, and a misspelt filter would act on everything. */
  end(): void {
    for (const name of this.#values.keys())
      if (!this.#read.has(name))
        throw new BadRequest(`${JSON.stringify(name)} is no parameter of this method`);
  }

  #take(name: string): unknown {
    this.#read.add(name);
    return this.#values.get(name);
  }
}

function missing(name: string): never {
  throw new BadRequest(`${name} is missing`);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
