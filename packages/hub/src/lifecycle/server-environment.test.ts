import { expect, test } from 'vitest'
import { createSubdomains } from '../domain/subdomains.ts'
import { serverEnvironment } from './server-environment.ts'
import type { LifecycleSettings } from './settings.ts'

const settings: LifecycleSettings = {
  baseUrl: '/base/',
  hubApiUrl: 'http://10.0.0.1:8081/base/hub/api',
  publicUrl: '',
  cookieSecret: Buffer.alloc(32),
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
  startTimeoutMs: 1,
  httpTimeoutMs: 1,
  stopTimeoutMs: 1,
  pollIntervalMs: 0,
  pollJitter: 0,
  serverTokenScopes: [],
  oauthClientAllowedScopes: [],
  concurrentSpawnLimit: 0,
  activeServerLimit: 0,
  queueSpawns: true,
  throttleRetryRange: [30, 60],
  allowNamedServers: true,
  namedServerLimitPerUser: 0,
  allowExistingInvalidNamedServers: 'allow-start',
}

function environmentOf(
  changes: Partial<LifecycleSettings> = {},
  server = { username: 'a@b c', name: 'lab' },
  bind = { ip: '127.0.0.1', port: 5000 },
) {
  return serverEnvironment({
    server,
    apiToken: 'secret',
    clientId: 'jupyterhub-user-a%40b%20c-lab',
    bind,
    settings: { ...settings, ...changes },
  })
}

test('has every variable that is always there, empty ones included, and no other', () => {
  const scopes = '["access:servers!server=a@b c/lab","access:servers!user=a@b c"]'
  expect(environmentOf()).toEqual({
    JUPYTERHUB_API_TOKEN: 'secret',
    JPY_API_TOKEN: 'secret',
    JUPYTERHUB_CLIENT_ID: 'jupyterhub-user-a%40b%20c-lab',
    JUPYTERHUB_USER: 'a@b c',
    JUPYTERHUB_SERVER_NAME: 'lab',
    JUPYTERHUB_HOST: '',
    JUPYTERHUB_BASE_URL: '/base/',
    JUPYTERHUB_SERVICE_PREFIX: '/base/user/a@b%20c/lab/',
    JUPYTERHUB_SERVICE_URL: 'http://127.0.0.1:5000/base/user/a@b%20c/lab/',
    JUPYTERHUB_API_URL: 'http://10.0.0.1:8081/base/hub/api',
    JUPYTERHUB_ACTIVITY_URL: 'http://10.0.0.1:8081/base/hub/api/users/a@b%20c/activity',
    JUPYTERHUB_OAUTH_CALLBACK_URL: '/base/user/a@b%20c/lab/oauth_callback',
    JUPYTERHUB_OAUTH_ACCESS_SCOPES: scopes,
    JUPYTERHUB_OAUTH_SCOPES: scopes,
    JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES: '[]',
    JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED: '0',
    JUPYTERHUB_PUBLIC_URL: '',
    JUPYTERHUB_PUBLIC_HUB_URL: '',
  })
})

test.each([
  [{ cookieOptions: { SameSite: 'None' } }, { JUPYTERHUB_COOKIE_OPTIONS: '{"SameSite":"None"}' }],
  [{ cookieHostPrefixEnabled: true }, { JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED: '1' }],
  [{ notebookDir: '~/{username}' }, { JUPYTERHUB_ROOT_DIR: '~/a@b c' }],
  [{ notebookDir: '/home/%U' }, { JUPYTERHUB_ROOT_DIR: '/home/a@b c' }],
  [{ defaultUrl: '{base_url}lab' }, { JUPYTERHUB_DEFAULT_URL: '/base/user/a@b%20c/lab/lab' }],
  [{ debug: true }, { JUPYTERHUB_DEBUG: '1' }],
  [{ disableUserConfig: true }, { JUPYTERHUB_DISABLE_USER_CONFIG: '1' }],
  [
    { oauthClientAllowedScopes: ['read:users!user'] },
    { JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES: '["read:users!user"]' },
  ],
  [
    { limits: { memLimitBytes: 2 ** 31, memGuaranteeBytes: 5, cpuLimitCores: 0.5 } },
    { MEM_LIMIT: '2147483648', MEM_GUARANTEE: '5', CPU_LIMIT: '0.5' },
  ],
  [
    { publicUrl: 'https://www.example/base/' },
    {
      JUPYTERHUB_HOST: 'https://www.example',
      JUPYTERHUB_PUBLIC_URL: 'https://www.example/base/user/a@b%20c/lab/',
      JUPYTERHUB_PUBLIC_HUB_URL: 'https://www.example/base/hub/',
      JUPYTERHUB_OAUTH_CALLBACK_URL: '/base/user/a@b%20c/lab/oauth_callback',
    },
  ],
  [
    { keptEnvironment: { LANG: 'C', JUPYTERHUB_USER: 'mallory' } },
    { LANG: 'C', JUPYTERHUB_USER: 'a@b c' },
  ],
  [
    { keptEnvironment: { LANG: 'C' }, environment: { LANG: 'de', JUPYTERHUB_HOST: 'http://x' } },
    { LANG: 'de', JUPYTERHUB_HOST: 'http://x' },
  ],
] as const)('%j gives %j', (changes, expected) => {
  expect(environmentOf(changes)).toMatchObject(expected)
})

test('a name is never read as part of a template', () => {
  const names = ['$`', "$'", '$&', '{base_url}', '%U', '{username}']
  for (const username of names) {
    const server = { username, name: '' }
    const { JUPYTERHUB_DEFAULT_URL } = environmentOf({ defaultUrl: '/x/{username}/%U' }, server)
    expect(JUPYTERHUB_DEFAULT_URL).toBe(`/x/${username}/${username}`)
  }
})

test('with a host for each user, what browsers use is a full URL', () => {
  const subdomains = createSubdomains({ host: new URL('https://hub.example:8443'), hook: 'idna' })
  const publicUrl = 'https://hub.example:8443/base/'
  expect(environmentOf({ subdomains, publicUrl }, { username: 'ada', name: '' })).toMatchObject({
    JUPYTERHUB_HOST: 'https://hub.example:8443',
    JUPYTERHUB_SERVICE_PREFIX: '/base/user/ada/',
    JUPYTERHUB_OAUTH_CALLBACK_URL: 'https://ada.hub.example:8443/base/user/ada/oauth_callback',
    JUPYTERHUB_PUBLIC_URL: 'https://ada.hub.example:8443/base/user/ada/',
    JUPYTERHUB_PUBLIC_HUB_URL: 'https://hub.example:8443/base/hub/',
  })
})

test.each([
  ['::1', 'http://[::1]:5000/base/user/ada/'],
  ['', 'http://:5000/base/user/ada/'],
  ['0.0.0.0', 'http://0.0.0.0:5000/base/user/ada/'],
])('a server that binds to %j is told %s', (ip, url) => {
  const environment = environmentOf({}, { username: 'ada', name: '' }, { ip, port: 5000 })
  expect(environment['JUPYTERHUB_SERVICE_URL']).toBe(url)
})
