/**
 * A queue that serves its owners by turns: however much one of them has put in, another waits for one turn of each. In the
 * order of arrival within one owner.
 */
export class FairQueue<Item> {
  /** In the order of their turns; the first is next. */
  readonly #owners = new Map<string, Item[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(owner: string): number {
    return this.#owners.get(owner)?.length ?? 0;
  }

  push(owner: string, item: Item): void {
    const items = this.#owners.get(owner);
    if (items === undefined) this.#owners.set(owner, [item]);
    else items.push(item);
    this.#size += 1;
  }

  shift(): Item | undefined {
    const [next] = this.#owners;
    if (next === undefined) return undefined;
    const [owner, items] = next;
    const item = items.shift();
    this.#owners.delete(owner);
    if (items.length > 0) this.#owners.set(owner, items);
    this.#size -= 1;
    return item;
  }

  /** Takes all out, in the order that they would have come. */
  drain(): readonly Item[] {
    const items: Item[] = [];
    for (let item = this.shift(); item !== undefined; item = this.shift()) items.push(item);
    return items;
  }
}
