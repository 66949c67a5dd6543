import { createLifecycle, type RunningLifecycle } from '../../src/lifecycle/create-lifecycle.ts'
import type { LifecycleSettings } from '../../src/lifecycle/settings.ts'
import type { WorkContext } from '../../src/lifecycle/work-context.ts'
import { putRole } from '../../src/storage/access.ts'
import { createUser } from '../../src/storage/users.ts'
import type { Store } from '../../src/storage/store.ts'
import type { FakeMachines } from './fake-spawner.ts'

export const quickSettings: LifecycleSettings = {
  baseUrl: '/',
  hubApiUrl: 'http://127.0.0.1:8081/hub/api',
  publicUrl: '',
  cookieSecret: Buffer.alloc(32, 7),
  cookieOptions: {},
  cookieHostPrefixEnabled: false,
  command: ['jupyterhub-singleuser'],
  bindIp: '127.0.0.1',
  bindPort: 0,
  environment: {},
  keptEnvironment: {},
  notebookDir: '',
  defaultUrl: '',
  debug: false,
  disableUserConfig: false,
  limits: {},
  startTimeoutMs: 2_000,
  httpTimeoutMs: 2_000,
  stopTimeoutMs: 2_000,
  pollIntervalMs: 0,
  pollJitter: 0,
  serverTokenScopes: [],
  oauthClientAllowedScopes: [],
  concurrentSpawnLimit: 100,
  activeServerLimit: 0,
  queueSpawns: true,
  throttleRetryRange: [30, 60],
  allowNamedServers: true,
  namedServerLimitPerUser: 0,
  allowExistingInvalidNamedServers: 'allow-start',
}

export const silentLogger = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

export interface TestHubOptions {
  readonly machines: FakeMachines
  readonly settings?: Partial<LifecycleSettings>
  readonly passed?: WorkContext['passed']
  readonly alone?: boolean
}

/** The part of a hub that moves servers, on a store of the test's. */
export function startTestHub(store: Store, options: TestHubOptions): Promise<RunningLifecycle> {
  const spawner = options.machines.spawner()
  return createLifecycle(
    {
      store,
      settings: { ...quickSettings, ...options.settings },
      now: () => new Date(),
      spawnerId: 'fake',
      spawnerOf: () => spawner,
      edges: { untilApplied: () => Promise.resolve(true) },
      logger: silentLogger,
      ...(options.passed !== undefined && { passed: options.passed }),
    },
    { alone: options.alone ?? true },
  )
}

/** The default roles that a hub's start would have made. */
export async function seedRoles(store: Store): Promise<void> {
  await store.write(async (tx) => {
    await putRole(tx, { name: 'user', description: '', scopes: ['self'] })
    await putRole(tx, {
      name: 'server',
      description: '',
      scopes: ['users:activity!user', 'access:servers!server'],
    })
    await putRole(tx, { name: 'token', description: '', scopes: ['inherit'] })
  })
}

export function addUser(store: Store, name: string) {
  return store.write((tx) => createUser(tx, { name }, new Date()))
}
