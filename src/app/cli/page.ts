/** Asks for page after page until one is not full. */
import { PAGE_MAX } from '../control/methods.ts';

export async function allPages<Item>(
  next: (page: { readonly after?: string; readonly limit: number }) => Promise<readonly Item[]>,
  keyOf: (item: Item) => string,
  most: number = Number.POSITIVE_INFINITY,
  after?: string,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (;;) {
    const limit = Math.min(PAGE_MAX, most - items.length);
    if (limit <= 0) return items;
    const last = items.at(-1);
    const from = last === undefined ? after : keyOf(last);
    const page = await next(from === undefined ? { limit } : { after: from, limit });
    items.push(...page);
    if (page.length < limit) return items;
  }
}
