import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SpawnerLogger, SpawnRequest } from '../../plugin-api/spawner.ts'
import { createCgroup, listCgroupPlaces, planCgroups, removeCgroup } from './cgroup.ts'
import { hasErrno } from '../../util/errno.ts'

/**
 * Creates the cgroups that hold the limits of a run and returns their folders. The list is written
 * first, so that whoever cleans up knows of each. Where the system gives no way to enforce a limit,
 * the start goes on with `MEM_LIMIT` and `CPU_LIMIT` in the environment alone, as in JupyterHub.
 */
export async function createRunLimits(
  request: SpawnRequest,
  runDir: string,
  warnOnce: (message: string) => void,
): Promise<string[]> {
  const { memLimitBytes, cpuLimitCores } = request.limits
  if (!memLimitBytes && !cpuLimitCores) return []
  const plans = await planCgroups(await listCgroupPlaces(), request.runId, request.limits)
  await writeFile(join(runDir, 'cgroups'), plans.map((plan) => `${plan.folder}\n`).join(''))
  const folders: string[] = []
  const enforced = new Set<string>()
  for (const { folder, files } of plans) {
    try {
      await createCgroup(folder, files)
      folders.push(folder)
      for (const [file] of files) enforced.add(file.split('.')[0] ?? '')
    } catch (error) {
      if (!hasErrno(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'EINVAL', 'EBUSY')) throw error
    }
  }
  const missing = [
    ...(memLimitBytes && !enforced.has('memory') ? ['memory'] : []),
    ...(cpuLimitCores && !enforced.has('cpu') ? ['cpu'] : []),
  ]
  if (missing.length > 0) {
    const message = `The ${missing.join(' and ')} limit is announced to the server but not enforced: no writable cgroup.`
    warnOnce(message)
    request.report({ message })
  }
  return folders
}

/** The cgroups ever made for a run; empty when it had none. */
export async function listRunCgroups(runDir: string): Promise<string[]> {
  try {
    return (await readFile(join(runDir, 'cgroups'), 'utf8')).split('\n').filter(Boolean)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw error
  }
}

/** Removes what is empty. A zombie that its parent has not noticed keeps a cgroup alive a while. */
export async function removeRunCgroups(runDir: string, logger: SpawnerLogger): Promise<void> {
  for (const folder of await listRunCgroups(runDir)) {
    const isGone = await removeCgroup(folder)
    if (!isGone) logger.warn({ folder }, 'a cgroup of a stopped server is still in use')
  }
}
