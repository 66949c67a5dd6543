import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { describeOrigin, type FlagAssignment } from './assignment.ts'
import { type LoadedConfig, type LoadInput, loadConfig } from './load.ts'
import { formatConfig, formatConfigJson } from './print.ts'
import { ConfigProblemsError } from './problems.ts'
import { hasPython } from './python-for-tests.ts'

let cwd: string

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'config-load-'))
})

afterEach(() => rm(cwd, { recursive: true, force: true }))

async function write(name: string, content: string): Promise<string> {
  const file = join(cwd, name)
  await writeFile(file, content)
  return file
}

function load(input: Partial<LoadInput> = {}): Promise<LoadedConfig> {
  return loadConfig({ cwd, env: {}, flags: [], strict: false, ...input })
}

/** Loads `sections` from a JSON file in the working folder. */
async function loadSections(
  sections: Readonly<Record<string, unknown>>,
  input: Partial<LoadInput> = {},
): Promise<LoadedConfig> {
  await write('jupyterhub_config.json', JSON.stringify(sections))
  return load(input)
}

async function problemsOf(loading: Promise<unknown>): Promise<ConfigProblemsError['problems']> {
  const error: unknown = await loading.catch((reason: unknown) => reason)
  if (!(error instanceof ConfigProblemsError))
    expect.fail(`no ConfigProblemsError: ${String(error)}`)
  return error.problems
}

function flag(path: string, ...texts: string[]): FlagAssignment {
  const [section = '', name = ''] = path.split('.')
  return { section, name, texts, flag: `--${path}` }
}

function originOf({ entries }: LoadedConfig, path: string): string {
  const entry = entries.find(({ section, name }) => `${section}.${name}` === path)
  return entry === undefined ? 'no such entry' : describeOrigin(entry.origin)
}

describe('kinds of files', () => {
  const settings = {
    JupyterHub: {
      port: 9000,
      base_url: 'hub-one',
      services: [{ name: 'announce', url: 'http://127.0.0.1:9100' }],
      load_groups: { staff: { users: ['ana'] } },
    },
    Spawner: { mem_limit: '2G', args: ['--a', "it's"], environment: { N: '1' }, debug: true },
    Authenticator: { admin_users: ['ana', 'bo'] },
  }
  const json = JSON.stringify(settings)
  const python = Object.entries(settings).flatMap(([section, options]) =>
    Object.entries(options).map(
      ([name, value]) =>
        `c.${section}.${name} = json.loads(${JSON.stringify(JSON.stringify(value))})`,
    ),
  )
  const yaml = `JupyterHub:
  port: 9000
  base_url: hub-one
  services:
    - name: announce
      url: http://127.0.0.1:9100
  load_groups: {staff: {users: [ana]}}
Spawner:
  mem_limit: 2G
  args: ['--a', "it's"]
  environment: {N: '1'}
  debug: true
Authenticator:
  admin_users: [ana, bo]
`
  const contents: Readonly<Record<string, string>> = {
    'c.ts': `const port: number = 9000
      export default (c: Record<string, Record<string, unknown>>): void => {
        Object.assign(c['JupyterHub'] ?? {}, { ...(${json}).JupyterHub, port })
        Object.assign(c['Spawner'] ?? {}, (${json}).Spawner)
        Object.assign(c['Authenticator'] ?? {}, (${json}).Authenticator)
      }`,
    'c.mjs': `export default ${json}`,
    'c.js': `export default async () => (${json})`,
    'c.yaml': yaml,
    'c.yml': yaml,
    'c.py': `import json\n${python.join('\n')}\n`,
  }

  test.for(Object.keys(contents))('%s gives what JSON gives', async (name, ctx) => {
    if (name.endsWith('.py') && !hasPython()) return ctx.skip('needs python3')
    const expected = await load({ configFile: await write('expected.json', json) })
    const actual = await load({ configFile: await write(name, contents[name] ?? '') })
    expect(actual.config).toEqual(expected.config)
    expect(actual.files).toEqual([join(cwd, name)])
    expect(actual.config.JupyterHub).toMatchObject({ port: 9000, baseUrl: '/hub-one/' })
    expect(actual.config.Spawner.memLimitBytes).toBe(2 * 1024 ** 3)
  })

  test('a function in a script edits options that are not set', async () => {
    await write(
      'jupyterhub_config.js',
      `export default (c) => {
        c.Spawner.args.push('--one', '--two')
        c.Spawner.environment.set('A', 'b')
        c.Authenticator.admin_users.add('ana')
        void c.JupyterHub.port
      }`,
    )
    const { config } = await load()
    expect(config.Spawner).toMatchObject({ args: ['--one', '--two'], environment: { A: 'b' } })
    expect(config.Authenticator.adminUsers).toEqual(new Set(['ana']))
    expect(config.JupyterHub.port).toBe(8000)
  })

  test('an assignment that a script would lose is an error', async () => {
    await write(
      'jupyterhub_config.js',
      "export default (c) => {\n c.Spawner.environment.A = 'b'\n}",
    )
    const [problem] = await problemsOf(load())
    expect(problem?.source).toBe(`${join(cwd, 'jupyterhub_config.js')}:2`)
  })

  test('a script that throws is named with its line', async () => {
    const file = await write('a.js', "\n\nthrow new Error('no luck')\n")
    const [problem] = await problemsOf(load({ configFile: file }))
    expect(problem).toMatchObject({ source: `${file}:3`, message: 'no luck.' })
  })

  test.each([
    ['a.json', '{"JupyterHub": }'],
    ['a.json', '{"version": 2}'],
    ['a.json', '[]'],
    ['a.json', '{"JupyterHub": 3}'],
    ['a.yaml', 'a: [1'],
    ['a.js', 'export const c = {}'],
    ['a.toml', ''],
  ])('%s with %j is refused by name', async (name, content) => {
    const file = await write(name, content)
    const [problem] = await problemsOf(load({ configFile: file }))
    expect(problem?.source).toContain(file)
  })
})

test('YAML that multiplies itself by aliases is refused', async () => {
  const file = await write('a.yaml', `a: &a [1]\nb: [${'*a, '.repeat(200)}*a]`)
  const [problem] = await problemsOf(load({ configFile: file }))
  expect(problem?.source).toBe(file)
})

describe('which files', () => {
  test('none at all is fine: the built-in defaults for trying out', async () => {
    const { config, files } = await load()
    expect(files).toEqual([])
    expect(config.JupyterHub.spawner).toBe('simple')
    expect(config.SimpleLocalProcessSpawner.homeDirTemplate).toBe(
      join(cwd, 'orrery-data/homes/{username}'),
    )
  })

  test('several that could be meant are an error that names them', async () => {
    const files = [
      await write('jupyterhub_config.ts', ''),
      await write('jupyterhub_config.json', ''),
    ]
    const [problem] = await problemsOf(load())
    for (const file of files) expect(problem?.message).toContain(file)
    expect(problem?.remedy).toContain('--config')
  })

  test('a named one that is missing is an error', async () => {
    const [problem] = await problemsOf(load({ configFile: 'absent.yaml' }))
    expect(problem).toMatchObject({
      source: join(cwd, 'absent.yaml'),
      message: expect.stringContaining('does not exist') as string,
    })
  })

  test('JSON beside Python of the same name wins', async (ctx) => {
    if (!hasPython()) return ctx.skip('needs python3')
    await write('jupyterhub_config.py', 'c.JupyterHub.port = 1\nc.JupyterHub.ip = "::1"\n')
    const { config, files } = await loadSections({ JupyterHub: { port: 2 } })
    expect(config.JupyterHub).toMatchObject({ port: 2, ip: '::1' })
    expect(files).toHaveLength(2)
  })
})

describe('precedence', () => {
  test('default, environment, file and command line, each with its origin', async () => {
    const env = { CONFIGPROXY_AUTH_TOKEN: 'from-env', ORRERY_DATA_DIR: 'env-data' }
    const flags = [flag('JupyterHub.port', '9002')]
    const sections = {
      JupyterHub: { port: 9001, hub_port: 9003 },
      Orrery: { data_dir: 'file-data' },
    }
    const loaded = await loadSections(sections, { env, flags })
    const { config, files } = loaded
    expect(config.JupyterHub).toMatchObject({ hubIp: '127.0.0.1', hubPort: 9003, port: 9002 })
    expect(config.ConfigurableHTTPProxy.authToken).toBe('from-env')
    expect(config.Orrery.dataDir).toBe(join(cwd, 'env-data'))
    expect(originOf(loaded, 'JupyterHub.hub_ip')).toBe('default')
    expect(originOf(loaded, 'JupyterHub.hub_port')).toBe(files[0])
    expect(originOf(loaded, 'JupyterHub.port')).toBe('command line --JupyterHub.port')
    expect(originOf(loaded, 'Orrery.data_dir')).toBe('environment variable ORRERY_DATA_DIR')
  })

  test('a file replaces secrets of the environment, a flag the data folder', async () => {
    const env = {
      JPY_COOKIE_SECRET: 'aa',
      JUPYTERHUB_CRYPT_KEY: 'k1;k2',
      ORRERY_DATA_DIR: 'env-data',
    }
    const flags = [flag('Orrery.data_dir', '/flag-data')]
    const { config } = await loadSections({ JupyterHub: { cookie_secret: 'bb' } }, { env, flags })
    expect(config.JupyterHub.cookieSecret).toEqual(Uint8Array.of(0xbb))
    expect(config.CryptKeeper.keys).toEqual(['k1', 'k2'])
    expect(config.Orrery.dataDir).toBe('/flag-data')
  })

  test('the section of the chosen class wins over its parents, that of another does not count', async () => {
    const sections = {
      JupyterHub: { spawner_class: 'simple' },
      SimpleLocalProcessSpawner: { start_timeout: 3, args: ['leaf'] },
      LocalProcessSpawner: { start_timeout: 2, http_timeout: 2 },
      Spawner: { start_timeout: 1, http_timeout: 1, poll_interval: 1 },
      DummyAuthenticator: { allowed_users: ['nobody'] },
    }
    const { config } = await loadSections(sections)
    const { startTimeoutMs, httpTimeoutMs, pollIntervalMs, args } = config.Spawner
    expect([startTimeoutMs, httpTimeoutMs, pollIntervalMs]).toEqual([3000, 2000, 1000])
    expect(args).toEqual(['leaf'])
    expect(config.Authenticator.allowedUsers).toEqual(new Set())
  })

  test('port, address and base URL come from bind_url unless they are set', async () => {
    const sections = { JupyterHub: { bind_url: 'http://10.0.0.1:7000/x', port: 7001 } }
    const { config } = await loadSections(sections)
    expect(config.JupyterHub).toMatchObject({ ip: '10.0.0.1', port: 7001, baseUrl: '/x/' })
  })
})

describe('mistakes', () => {
  test('an unknown option of a known class names file, option and nearest name', async () => {
    const [problem, ...others] = await problemsOf(loadSections({ JupyterHub: { prot: 1 } }))
    expect(others).toEqual([])
    expect(problem).toEqual({
      source: join(cwd, 'jupyterhub_config.json'),
      option: 'JupyterHub.prot',
      message: 'there is no such option.',
      remedy: 'Did you mean port?',
    })
  })

  test('every problem is listed, not just the first', async () => {
    const sections = { JupyterHub: { port: 'many', admin_access: 3 }, Spawner: { cmdd: [] } }
    const problems = await problemsOf(loadSections(sections))
    expect(problems.map(({ option }) => option ?? '').sort()).toEqual([
      'JupyterHub.admin_access',
      'JupyterHub.port',
      'Spawner.cmdd',
    ])
  })

  test.each([
    ['JupyterHub', 'port', '8000', 'expected an integer, got a string'],
    ['JupyterHub', 'port', 70_000, 'out of range'],
    ['JupyterHub', 'services', {}, 'expected a list, got an object'],
    ['JupyterHub', 'services', [{}], "item 1: 'name' is missing"],
    ['JupyterHub', 'services', [{ name: 'x', comand: ['y'] }], "Did you mean 'command'?"],
    ['JupyterHub', 'services', [{ name: 'x', api_token: 'short' }], 'the least is 8'],
    ['JupyterHub', 'services', [{ name: 'x', url: 'ftp://h' }], "'url' must be http"],
    ['JupyterHub', 'services', [{ name: 'x', oauth_client_id: 'y' }], "begin with 'service-'"],
    ['JupyterHub', 'services', [{ name: 'x', oauth_no_confirm: true }], "'oauth_redirect_uri'"],
    ['JupyterHub', 'services', [{ name: 'x' }, { name: 'x' }], "'x' is there twice"],
    ['JupyterHub', 'services', [{ name: 'a/b' }], "must not contain '/'"],
    ['JupyterHub', 'trusted_alt_names', ['URI:https://x'], "item 1: must be a name such as 'DNS:"],
    ['Spawner', 'ssl_alt_names', ['IP:hub.example'], "item 1: must be a name such as 'DNS:"],
    [
      'JupyterHub',
      'external_ssl_authorities',
      { 'hub-cs': {} },
      "has 'hub-cs', and there are hub-ca",
    ],
    ['JupyterHub', 'external_ssl_authorities', { 'hub-ca': { crt: 'x' } }, "Did you mean 'cert'?"],
    ['JupyterHub', 'spawner_class', 'simpel', "Did you mean 'simple'?"],
    ['Spawner', 'args', [1], 'item 1: expected a string'],
    ['Spawner', 'mem_limit', '2 apples', 'is no size'],
    ['Authenticator', 'username_pattern', '(', 'not a regular expression'],
  ])('%s.%s = %j is refused', async (section, name, value, message) => {
    const [problem] = await problemsOf(loadSections({ [section]: { [name]: value } }))
    expect(problem).toMatchObject({
      source: join(cwd, 'jupyterhub_config.json'),
      option: `${section}.${name}`,
      message: expect.stringContaining(message) as string,
    })
  })

  test('a flag of the wrong type is refused with the flag as its source', async () => {
    const [problem] = await problemsOf(load({ flags: [flag('JupyterHub.port', 'x')] }))
    expect(problem).toMatchObject({
      source: 'command line --JupyterHub.port',
      option: 'JupyterHub.port',
    })
  })

  test('a refused secret is not repeated', async () => {
    const sections = { SharedPasswordAuthenticator: { user_password: 'hunter2' } }
    const problems = await problemsOf(loadSections(sections))
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })
})

describe.each([
  [
    'an option that is known and not supported',
    'JupyterHub',
    'extra_log_file',
    'JupyterHub.extra_log_file',
  ],
  ['a class of a plugin', 'KubeSpawner', 'image', 'KubeSpawner is not supported'],
  ['a class nobody knows', 'Spwner', 'args', 'Did you mean Spawner?'],
])('%s', (_case, section, name, expected) => {
  test('is a warning', async () => {
    const { warnings } = await loadSections({ [section]: { [name]: 'x' } })
    expect(warnings).toEqual([expect.stringContaining(expected)])
  })

  test('is an error when strict', async () => {
    const problems = await problemsOf(
      loadSections({ [section]: { [name]: 'x' } }, { strict: true }),
    )
    expect(problems).toMatchObject([{ option: `${section}.${name}` }])
  })
})

describe('old names', () => {
  test.each([
    ['JupyterHub', 'admin_users', 'Authenticator.admin_users'],
    ['Authenticator', 'whitelist', 'Authenticator.allowed_users'],
    ['Authenticator', 'blacklist', 'Authenticator.blocked_users'],
  ])('%s.%s goes to %s with a warning', async (section, name, newName) => {
    const { entries, warnings } = await loadSections({ [section]: { [name]: ['ana'] } })
    const entry = entries.find((other) => `${other.section}.${other.name}` === newName)
    expect(entry?.value).toEqual(['ana'])
    expect(warnings).toEqual([expect.stringContaining(`use ${newName}`)])
  })

  test('the section JupyterHubApp means JupyterHub', async () => {
    const { config, warnings } = await loadSections({ JupyterHubApp: { port: 9 } })
    expect(config.JupyterHub.port).toBe(9)
    expect(warnings).toHaveLength(1)
  })
})

describe('command line', () => {
  test('texts are read by the type of their option; lists grow by repetition', async () => {
    const flags = [
      flag('Spawner.args', '--x', '--y'),
      flag('Spawner.cmd', "['a', 'b']"),
      flag('Spawner.mem_limit', '1.5K'),
      flag('Spawner.debug', 'True'),
      flag('Spawner.environment', 'A=1', 'B=x=y'),
      flag('Authenticator.admin_users', "{'ana'}"),
    ]
    const { config } = await load({ flags })
    expect(config.Spawner).toMatchObject({
      args: ['--x', '--y'],
      cmd: ['a', 'b'],
      memLimitBytes: 1536,
      debug: true,
      environment: { A: '1', B: 'x=y' },
    })
    expect(config.Authenticator.adminUsers).toEqual(new Set(['ana']))
  })
})

test('secrets are left out of what is printed', async () => {
  const { entries, files } = await loadSections({ ConfigurableHTTPProxy: { auth_token: 's3cret' } })
  const text = formatConfig(entries, files) + formatConfigJson(entries)
  expect(text).not.toContain('s3cret')
  expect(text).toContain('.auth_token = "<secret>"')
})
