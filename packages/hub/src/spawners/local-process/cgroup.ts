import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServerLimits } from '../../plugin-api/spawner.ts'
import { hasErrno } from '../../util/errno.ts'

/** Where the hub itself is; servers get cgroups below, so that limits set on the hub hold for them. */
export interface CgroupPlace {
  readonly version: 1 | 2
  readonly controllers: readonly string[]
  readonly folder: string
}

const cpuPeriodUs = 100_000

/**
 * The cgroups of this process, one per hierarchy.
 * Source: cgroups(7), `/proc/[pid]/cgroup` and `/proc/[pid]/mountinfo`.
 */
export async function listCgroupPlaces(): Promise<CgroupPlace[]> {
  try {
    const [own, mounts] = await Promise.all([
      readFile('/proc/self/cgroup', 'utf8'),
      readFile('/proc/self/mountinfo', 'utf8'),
    ])
    return parseCgroupPlaces(own, mounts)
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw error
  }
}

export function parseCgroupPlaces(own: string, mountinfo: string): CgroupPlace[] {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ')
    const [, , , root, point] = (left ?? '').split(' ')
    const [type, , options] = (right ?? '').split(' ')
    if (root === undefined || point === undefined || !type?.startsWith('cgroup')) return []
    return [{ root, point, type, options: (options ?? '').split(',') }]
  })
  return own.split('\n').flatMap((line) => {
    const [, names, path] = /^[0-9]+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (names === undefined || path === undefined) return []
    const controllers = names === '' ? [] : names.split(',')
    const mount = mounts.find((candidate) =>
      names === ''
        ? candidate.type === 'cgroup2'
        : candidate.type === 'cgroup' && controllers.every((c) => candidate.options.includes(c)),
    )
    if (mount === undefined) return []
    const inside = path.startsWith(mount.root) ? path.slice(mount.root.length) : path
    return [{ version: names === '' ? 2 : 1, controllers, folder: join(mount.point, inside) }]
  })
}

/** Folders of the cgroups that `limits` need, and the files to write into each. Creates nothing. */
export async function planCgroups(
  places: readonly CgroupPlace[],
  runId: string,
  limits: ServerLimits,
): Promise<{ readonly folder: string; readonly files: readonly (readonly [string, string])[] }[]> {
  const memory = limits.memLimitBytes
  const quotaUs =
    limits.cpuLimitCores && Math.max(1000, Math.round(limits.cpuLimitCores * cpuPeriodUs))
  const plans = new Map<string, [string, string][]>()
  const add = (place: CgroupPlace, file: string, text: string) => {
    const folder = join(place.folder, `orrery-${runId}`)
    plans.set(folder, [...(plans.get(folder) ?? []), [file, text]])
  }
  for (const place of places) {
    const controllers = place.version === 1 ? place.controllers : await controllersBelow(place)
    if (memory && controllers.includes('memory')) {
      const file = place.version === 1 ? 'memory.limit_in_bytes' : 'memory.max'
      add(place, file, `${memory}`)
    }
    if (quotaUs && controllers.includes('cpu')) {
      if (place.version === 2) add(place, 'cpu.max', `${quotaUs} ${cpuPeriodUs}`)
      else {
        add(place, 'cpu.cfs_period_us', `${cpuPeriodUs}`)
        add(place, 'cpu.cfs_quota_us', `${quotaUs}`)
      }
    }
  }
  return [...plans].map(([folder, files]) => ({ folder, files }))
}

/** Idempotent. Throws when the kernel refuses the folder or a limit. */
export async function createCgroup(
  folder: string,
  files: readonly (readonly [string, string])[],
): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [file, text] of files) await writeFile(join(folder, file), text)
}

/** Pids inside; empty when the cgroup is gone. */
export async function listCgroupPids(folder: string): Promise<number[]> {
  try {
    const text = await readFile(join(folder, 'cgroup.procs'), 'latin1')
    return text.split('\n').filter(Boolean).map(Number)
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return []
    throw error
  }
}

/** `false` while processes (zombies count) are still inside. */
export async function removeCgroup(folder: string): Promise<boolean> {
  try {
    await rmdir(folder)
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true
    if (hasErrno(error, 'EBUSY')) return false
    throw error
  }
}

async function controllersBelow(place: CgroupPlace): Promise<string[]> {
  const path = join(place.folder, 'cgroup.subtree_control')
  const text = await readFile(path, 'latin1').catch(() => '')
  return text.trim().split(' ').filter(Boolean)
}
