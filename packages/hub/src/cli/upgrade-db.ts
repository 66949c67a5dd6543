import type { Config } from '../config/options/classes.ts'
import { lockDataFolder } from '../startup/data-folder.ts'
import { openStore } from '../storage/open.ts'

/** `orrery upgrade-db`: brings the database to this version; copies an SQLite file first. */
export async function runUpgradeDb(input: { config: Config; cwd: string }): Promise<void> {
  const { config, cwd } = input
  // No hub may run meanwhile: it would find tables that it does not know.
  const dataFolder = lockDataFolder(config.Orrery.dataDir)
  try {
    const store = await openStore({
      url: config.JupyterHub.dbUrl,
      directory: cwd,
      upgrade: true,
    })
    await store.close()
    process.stderr.write('The database is up to date.\n')
  } finally {
    dataFolder.release()
  }
}
