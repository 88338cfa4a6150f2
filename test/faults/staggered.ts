/** Only `width` at a time begin; how they end they await together. */
export async function staggered<Item, End>(
  width: number,
  items: readonly Item[],
  begin: (item: Item) => Promise<() => Promise<End>>,
): Promise<readonly End[]> {
  const rest = items.entries()
  const ends: Promise<End>[] = []
  const turn = async () => {
    for (const [at, item] of rest) ends[at] = (await begin(item))()
  }
  await Promise.all(Array.from({ length: width }, turn))
  return Promise.all(ends)
}
