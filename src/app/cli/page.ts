/** Asks for page after page until one is not full. */
import { PAGE_MAX } from '../control/methods.ts';

export async function allPages<Item>(
  next: (page: { readonly after?: string; readonly limit: number }) => Promise<readonly Item[]>,
  keyOf: (item: Item) => string,
  most: number = Number.POSITIVE_INFINITY,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (;;) {
    const limit = Math.min(PAGE_MAX, most - items.length);
    if (limit <= 0) return items;
    const last = items.at(-1);
    const page = await next(last === undefined ? { limit } : { after: keyOf(last), limit });
    items.push(...page);
    if (page.length < limit) return items;
  }
}
