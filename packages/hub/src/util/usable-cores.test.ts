import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { usableCores } from './usable-cores.ts'

const roots: string[] = []
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true })
})

function machine(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'cores-'))
  roots.push(root)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

const v2 = { 'proc/self/cgroup': '0::/kubepods/pod1/main\n' }
const v1 = { 'proc/self/cgroup': '4:memory:/m\n1:cpu,cpuacct:/docker/x\n0::/\n' }

test.each([
  ['no control groups', {}, 8],
  ['no quota', { ...v2, 'sys/fs/cgroup/kubepods/pod1/main/cpu.max': 'max 100000\n' }, 8],
  [
    'a quota of two cores',
    { ...v2, 'sys/fs/cgroup/kubepods/pod1/main/cpu.max': '200000 100000' },
    2,
  ],
  ['one and a half', { ...v2, 'sys/fs/cgroup/kubepods/pod1/main/cpu.max': '150000 100000' }, 2],
  ['a tenth', { ...v2, 'sys/fs/cgroup/kubepods/pod1/main/cpu.max': '10000 100000' }, 1],
  ['more than there are', { ...v2, 'sys/fs/cgroup/cpu.max': '9900000 100000' }, 8],
  [
    'a quota around ours',
    {
      ...v2,
      'sys/fs/cgroup/kubepods/pod1/main/cpu.max': 'max 100000',
      'sys/fs/cgroup/kubepods/pod1/cpu.max': '300000 100000',
    },
    3,
  ],
  [
    'a name space, where our path is the root',
    { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '400000 100000' },
    4,
  ],
  [
    'version 1',
    {
      ...v1,
      'sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us': '250000',
      'sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us': '100000',
    },
    3,
  ],
  [
    'version 1 without a quota',
    {
      ...v1,
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    },
    8,
  ],
  ['nonsense', { ...v2, 'sys/fs/cgroup/cpu.max': '100000 0' }, 8],
])('of eight cores, with %s', (_name, files, expected) => {
  expect(usableCores(machine(files), 8)).toBe(expected)
})
