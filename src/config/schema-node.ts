/** The part of JSON Schema that the configuration is described in. */
export type SchemaNode = TableNode | TextNode | WholeNumberNode | SwitchNode | ListNode;

/** `default` and `description` are of the key that holds the value. */
type Common = { readonly description?: string; readonly format?: FormatName };

export type TableNode = Common & {
  readonly type: 'object';
  readonly required: readonly string[];
  readonly properties: { readonly [key: string]: SchemaNode };
};

export type TextNode = Common & {
  readonly type: 'string';
  readonly enum?: readonly string[];
  readonly minLength?: number;
  readonly default?: string;
};

export type WholeNumberNode = Common & {
  readonly type: 'integer';
  readonly minimum: number;
  readonly maximum: number;
  readonly default?: number;
};

export type SwitchNode = Common & { readonly type: 'boolean'; readonly default: boolean };

export type ListNode = Common & {
  readonly type: 'array';
  /** Tables are written as `[[name]]`; their default is none. */
  readonly items: TextNode | WholeNumberNode | TableNode;
  readonly minItems: number;
  readonly default: readonly (string | number)[];
};

export type FormatName =
  | 'hostname'
  | 'host'
  | 'address'
  | 'ip'
  | 'ip-port'
  | 'network'
  | 'postgres-url'
  | 'https-url'
  | 'name'
  | 'proxy'
  | 'host-port'
  | 'recipient-pattern'
  | 'sender-pattern'
  | 'domain-pattern'
  | 'fingerprint'
  | 'priority-policy'
  | 'timestamp';
