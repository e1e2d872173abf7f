/** A value that carries its meaning in its type. The only door in is a type guard beside the brand. */
declare const brand: unique symbol;
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
