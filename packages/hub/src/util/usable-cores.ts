import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/**
 * Cores that this process may keep busy: those it may run on, fewer where a container has a quota of
 * processor time, part of one counting as one. Node tells of the former alone.
 * @param root - of the file system, for tests.
 */
export function usableCores(root = '/', cores = availableParallelism()): number {
  const quotas = cgroupFolders(root).map(quotaOf)
  return Math.max(1, Math.min(cores, ...quotas.map(Math.ceil)))
}

/** Folders of the processor's control groups, ours and those around it. */
function cgroupFolders(root: string): string[] {
  const mount = join(root, 'sys/fs/cgroup')
  return readText(join(root, 'proc/self/cgroup'))
    .split('\n')
    .flatMap((line) => {
      const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
      if (controllers === undefined || path === undefined) return []
      // Version 2 has one tree for all, version 1 one for each set of controllers.
      if (controllers === '') return withParents(mount, path)
      const names = controllers.split(',')
      if (!names.includes('cpu')) return []
      return [...new Set(['cpu', controllers])].flatMap((name) =>
        withParents(join(mount, name), path),
      )
    })
}

function withParents(mount: string, path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..')
  return [...parts, ''].map((_, depth) => join(mount, ...parts.slice(0, depth)))
}

/** In cores. Source: Linux, cgroup-v2 `cpu.max`; sched-bwc `cpu.cfs_quota_us`. */
function quotaOf(folder: string): number {
  const [quota = '', period = ''] = readText(join(folder, 'cpu.max')).trim().split(' ')
  const ofVersion1 = {
    quota: Number(readText(join(folder, 'cpu.cfs_quota_us')).trim() || -1),
    period: Number(readText(join(folder, 'cpu.cfs_period_us')).trim()),
  }
  const share = /^\d+$/.test(quota)
    ? Number(quota) / Number(period)
    : ofVersion1.quota / ofVersion1.period
  return share > 0 && Number.isFinite(share) ? share : Number.POSITIVE_INFINITY
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
