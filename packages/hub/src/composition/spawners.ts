import type { Config } from '../config/options/classes.ts'
import { ConfigError } from '../domain/errors.ts'
import type { Spawner, SpawnerLogger } from '../plugin-api/spawner.ts'
import { localProcessSpawner } from '../spawners/local-process/definition.ts'
import { simpleSpawner } from '../spawners/simple/definition.ts'

export interface SpawnerHouse {
  readonly config: Config
  /** Gives each spawner a folder of its own. */
  readonly folderOf: (id: string) => string
  readonly logger: SpawnerLogger
}

/**
 * Makes spawners when they are first needed: the configured one, and another whose servers still
 * run since before the configuration was changed.
 */
export function createSpawners(house: SpawnerHouse): (id: string) => Spawner {
  const made = new Map<string, Spawner>()
  return (id) => {
    const known = made.get(id)
    if (known !== undefined) return known
    const spawner = create(id, house)
    made.set(id, spawner)
    return spawner
  }
}

function create(id: string, house: SpawnerHouse): Spawner {
  const { config, folderOf, logger } = house
  const { interruptTimeoutMs, termTimeoutMs, killTimeoutMs, shellCmd } = config.LocalProcessSpawner
  const { envKeep } = config.Spawner
  const local = { interruptTimeoutMs, termTimeoutMs, killTimeoutMs, shellCmd, envKeep }
  const context = { dataDir: folderOf(id), logger }
  switch (id) {
    case localProcessSpawner.id:
      return localProcessSpawner.create({ ...context, options: local })
    case simpleSpawner.id: {
      const { homeDirTemplate, runAs } = config.SimpleLocalProcessSpawner
      return simpleSpawner.create({ ...context, options: { ...local, homeDirTemplate, runAs } })
    }
    default:
      throw new ConfigError(`There is no spawner '${id}' in this version of Orrery`)
  }
}
