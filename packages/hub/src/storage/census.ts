import type { Executor } from './dialects/dialect.ts'

const hourMs = 3_600_000

export interface UserCensus {
  readonly runningServers: number
  readonly totalUsers: number
  readonly activeUsers: Readonly<Record<'24h' | '7d' | '30d', number>>
}

/** Counts servers that are not stopped, users, and users by last activity. */
export async function takeCensus(db: Executor, now: Date): Promise<UserCensus> {
  const since = (hours: number) => now.getTime() - hours * hourMs
  const users = await db
    .selectFrom('users')
    .select((eb) => [
      eb.fn.countAll<number>().as('total'),
      eb.fn.countAll<number>().filterWhere('last_activity_at', '>=', since(24)).as('day'),
      eb.fn.countAll<number>().filterWhere('last_activity_at', '>=', since(168)).as('week'),
      eb.fn.countAll<number>().filterWhere('last_activity_at', '>=', since(720)).as('month'),
    ])
    .executeTakeFirstOrThrow()
  const servers = await db
    .selectFrom('servers')
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .where('state', 'in', ['spawning', 'ready', 'stopping'])
    .executeTakeFirstOrThrow()
  return {
    runningServers: servers.total,
    totalUsers: users.total,
    activeUsers: { '24h': users.day, '7d': users.week, '30d': users.month },
  }
}
