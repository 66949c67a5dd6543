import { tmpdir } from 'node:os'
import { expect, it, vi } from 'vitest'
import { createPrincipals } from '../../src/access/principals.ts'
import { createScopeRules } from '../../src/access/rbac-rules.ts'
import { openLocalAccess } from '../../src/cli/admin/local-access.ts'
import { loadConfig } from '../../src/config/load.ts'
import { toScopeStrings } from '../../src/rbac/scope-set.ts'
import { putRole } from '../../src/storage/access.ts'
import { createService, listServices } from '../../src/storage/services.ts'
import type { Store } from '../../src/storage/store.ts'
import { createToken } from '../../src/storage/tokens.ts'
import { describeStores } from '../support/stores.ts'

async function configFor(url: string) {
  const flag = { section: 'JupyterHub', name: 'db_url', texts: [url], flag: '--db' }
  const input = { cwd: tmpdir(), env: {}, configFile: undefined, flags: [flag], strict: false }
  return (await loadConfig(input)).config
}

const namesIn = async (store: Store) =>
  (await listServices(store.db, { kind: 'all' })).map(({ name }) => name)

describeStores('access of a command on the machine of the hub', (open) => {
  const openWithRoles = async () => {
    const store = await open()
    const scopes = ['admin:users', 'admin:services', 'tokens']
    await store.write((tx) => putRole(tx, { name: 'admin', description: '', scopes }))
    return { store, config: await configFor(store.url ?? '') }
  }

  it('is a token with the scopes asked for, for minutes, and ends with it', async () => {
    const { store, config } = await openWithRoles()
    const access = await openLocalAccess({ config, cwd: '/', scopes: ['read:users:name'] })
    const at = { now: new Date() }
    const rules = createScopeRules(new Map())
    const principals = createPrincipals({ store, rules, now: () => at.now })
    try {
      const principal = await principals.findByToken(access.token)
      expect(principal).toMatchObject({ kind: 'service', name: access.serviceName, admin: true })
      expect(principal && toScopeStrings(principal.scopes)).toEqual([
        `admin:services!service=${access.serviceName}`,
        `list:services!service=${access.serviceName}`,
        `read:roles:services!service=${access.serviceName}`,
        `read:services!service=${access.serviceName}`,
        `read:services:name!service=${access.serviceName}`,
        'read:users:name',
      ])
      at.now = new Date(Date.now() + 6 * 60_000)
      expect(await principals.findByToken(access.token)).toBeUndefined()
    } finally {
      principals.close()
    }
    await access.revoke()
    expect(await namesIn(store)).toEqual([])
    expect(await store.db.selectFrom('api_tokens').select('id').execute()).toEqual([])
  })

  it('the token lives on while the command works', async () => {
    const { store, config } = await openWithRoles()
    const access = await openLocalAccess({ config, cwd: '/', scopes: [], renewalMs: 20 })
    const expiry = async () => {
      const { expires_at: at } = await store.db
        .selectFrom('api_tokens')
        .select('expires_at')
        .executeTakeFirstOrThrow()
      return Number(at)
    }
    const first = await expiry()
    await vi.waitUntil(async () => (await expiry()) > first, { timeout: 10_000 })
    await access.revoke()
  })

  it('what killed commands left goes, and nothing else', async () => {
    const { store, config } = await openWithRoles()
    const past = new Date(Date.now() - 1_000)
    const row = {
      admin: true,
      url: '',
      info: {},
      display: false,
      command: [],
      oauthNoConfirm: false,
    }
    await store.write(async (tx) => {
      for (const [name, fromConfig, expiresAt] of [
        ['orrery-cli-killed', false, past],
        ['orrery-cli-working', false, new Date(Date.now() + 60_000)],
        ['orrery-cli-configured', true, past],
        ['other', false, past],
      ] as const) {
        const id = await createService(tx, { ...row, name, fromConfig })
        if (id === undefined) throw new TypeError('the names differ')
        const owner = { kind: 'service', id } as const
        await createToken(tx, { value: `t-${name}`, owner, scopes: [], note: '', expiresAt }, past)
      }
    })
    const access = await openLocalAccess({ config, cwd: '/', scopes: [] })
    await access.revoke()
    expect(await namesIn(store)).toEqual(['orrery-cli-working', 'orrery-cli-configured', 'other'])
  })
})

it('a database that is not there is not made', async () => {
  for (const url of ['sqlite:////nowhere/at/all.sqlite', 'sqlite:///:memory:']) {
    const config = await configFor(url)
    await expect(openLocalAccess({ config, cwd: '/', scopes: [] })).rejects.toThrow(
      /JUPYTERHUB_API_TOKEN/,
    )
  }
})
