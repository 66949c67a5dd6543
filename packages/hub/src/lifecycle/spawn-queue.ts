/** A start that waits, in the order of requests. */
export interface QueuedSpawn {
  readonly id: number
  readonly userId: number
}

/**
 * The order in which waiting starts get their turn: users with fewer starts at work first, then
 * one start of each user in turn, oldest request first. So nobody's hundred starts hold up
 * another's single one.
 */
export function fairOrder(
  queued: readonly QueuedSpawn[],
  runningByUser: ReadonlyMap<number, number>,
): QueuedSpawn[] {
  const turns = new Map<number, number>()
  const ranked = queued.map((spawn) => {
    const turn = turns.get(spawn.userId) ?? runningByUser.get(spawn.userId) ?? 0
    turns.set(spawn.userId, turn + 1)
    return { spawn, turn }
  })
  return ranked
    .toSorted((a, b) => a.turn - b.turn || a.spawn.id - b.spawn.id)
    .map((entry) => entry.spawn)
}
