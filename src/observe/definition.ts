/**
 * How an event is described. The catalogue (`events/*.ts`) is plain data: the types of events, the log line, the
 * metrics and docs/events.md all come from it.
 *
 * A subject's server declares the union of its own events, each an object with its `name`; the catalogue describes the
 * same events, and the compiler compares the two where `app` joins them (`observer.ts`).
 */

/** `error`: somebody must act. `warn`: somebody should look. `info`: what happened. `debug`: how. */
export type Level = 'error' | 'warn' | 'info' | 'debug';

export type FieldDefinition = {
  /** `cause` is whatever was thrown; its message and stack are logged. */
  readonly type: 'text' | 'number' | 'boolean' | 'cause';
  readonly description: string;
  readonly optional?: true;
  /**
   * What the log does not tell everybody; the trace has all of it. `address`: an address of mail, its local part is written at
   * level `debug` only. `detail`: what may hold addresses (a peer's words), written at level `debug` only. `content`: taken
   * from a message, never written.
   */
  readonly sensitive?: 'address' | 'detail' | 'content';
};

export type MetricDefinition = {
  /** Base units, `postrider_` first, `_total` last. */
  readonly name: `postrider_${string}_total`;
  readonly help: string;
  /** Fields of the event with few values. */
  readonly labels?: readonly string[];
  /** The field whose value is added; without it, one. */
  readonly add?: string;
};

export type EventDefinition = {
  readonly level: Level;
  /** What happened, for a person, without a full stop. */
  readonly text: string;
  readonly fields: { readonly [field: string]: FieldDefinition };
  readonly metrics?: readonly MetricDefinition[];
};

/** The events of one subject by their stable names: `smtp.session.started`. */
export type Catalogue = {
  readonly subject: string;
  readonly description: string;
  readonly events: { readonly [name: string]: EventDefinition };
};

type FieldValue = { text: string; number: number; boolean: boolean; cause: unknown };
type Value<Field extends FieldDefinition> = FieldValue[Field['type']];
type OptionalKeys<Fields> = {
  [Key in keyof Fields]: Fields[Key] extends { readonly optional: true } ? Key : never;
}[keyof Fields];

type FieldsOf<Fields extends EventDefinition['fields']> = {
  readonly [Key in Exclude<keyof Fields, OptionalKeys<Fields>>]: Value<Fields[Key]>;
} & { readonly [Key in OptionalKeys<Fields>]?: Value<Fields[Key]> | undefined };

/** The union of events that a catalogue describes. */
export type EventOf<Of extends Catalogue> = {
  [Name in keyof Of['events']]: { readonly name: Name } & FieldsOf<Of['events'][Name]['fields']>;
}[keyof Of['events']];
