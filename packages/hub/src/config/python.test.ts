import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LoadedConfig, loadConfig } from './load.ts'
import { ConfigProblemsError } from './problems.ts'
import { hasPython } from './python-for-tests.ts'

let cwd: string

beforeEach(async (ctx) => {
  if (!hasPython()) return ctx.skip('needs python3')
  cwd = await mkdtemp(join(tmpdir(), 'config-python-'))
  return () => rm(cwd, { recursive: true, force: true })
})

afterEach(() => {
  delete process.env['ORRERY_TEST_PORT']
})

async function write(name: string, content: string): Promise<string> {
  const file = join(cwd, name)
  await writeFile(file, content)
  return file
}

async function load(...lines: readonly string[]): Promise<LoadedConfig> {
  await write('jupyterhub_config.py', `${lines.join('\n')}\n`)
  return loadConfig({ cwd, env: {}, flags: [], strict: false })
}

async function problemOf(...lines: readonly string[]): Promise<ConfigProblemsError['problems'][0]> {
  const error: unknown = await load(...lines).catch((reason: unknown) => reason)
  const problem = error instanceof ConfigProblemsError ? error.problems[0] : undefined
  return problem ?? expect.fail(`no ConfigProblemsError: ${String(error)}`)
}

describe('values', () => {
  test('of every plain kind arrive as they are', async () => {
    const { config } = await load(
      'c = get_config()',
      'from pathlib import Path',
      "c.JupyterHub.cookie_secret = b'\\x00\\xff'",
      "c.JupyterHub.db_url = 'sqlite:///ü.sqlite'",
      "c.JupyterHub.pid_file = Path('/run/hub.pid')",
      'c.JupyterHub.spawn_throttle_retry_range = (1, 2)',
      "c.JupyterHub.tornado_settings = {'headers': {'X-A': 'b'}}",
      "c['JupyterHub']['admin_access'] = True",
      "c.Authenticator.admin_users = {'ana', 'bo'}",
      "c.Authenticator.allowed_users = frozenset(['cy'])",
      'c.Spawner.cpu_limit = 0.5',
      'c.Spawner.cmd = None',
      "c.Spawner = {'debug': True, **c.Spawner}",
    )
    expect(config.JupyterHub).toMatchObject({
      cookieSecret: Uint8Array.of(0, 255),
      dbUrl: 'sqlite:///ü.sqlite',
      pidFile: '/run/hub.pid',
      adminAccess: true,
    })
    expect(config.Authenticator.adminUsers).toEqual(new Set(['ana', 'bo']))
    expect(config.Authenticator.allowedUsers).toEqual(new Set(['cy']))
    expect(config.Spawner).toMatchObject({ cpuLimitCores: 0.5, cmd: undefined, debug: true })
  })

  test('may come from the environment', async () => {
    process.env['ORRERY_TEST_PORT'] = '9123'
    const port = "int(os.environ['ORRERY_TEST_PORT'])"
    const { config } = await load('import os', `c.JupyterHub.port = ${port}`)
    expect(config.JupyterHub.port).toBe(9123)
  })

  test('what the file prints is no part of them', async () => {
    const { config } = await load("print('{}')", 'c.JupyterHub.port = 9')
    expect(config.JupyterHub.port).toBe(9)
  })
})

describe('edits of options that are not set', () => {
  test('apply to the defaults', async () => {
    const { config } = await load(
      "c.Spawner.args.append('--a')",
      "c.Spawner.args.extend(['--b', '--c'])",
      "c.Spawner.args.prepend(['--0'])",
      "c.Spawner.args.insert(1, '--1')",
      "c.Spawner.args += ['--d']",
      "c.Spawner.env_keep.append('EXTRA')",
      "c.Spawner.environment.update({'A': '1'}, B='2')",
      "c.Spawner.environment['C'] = '3'",
      "c.Spawner.environment.setdefault('A', 'other')",
      "c.Authenticator.admin_users.add('ana')",
      "c.Authenticator.admin_users.update(['bo'])",
      "c.Authenticator.admin_users |= {'cy'}",
    )
    const { args, environment, envKeep } = config.Spawner
    expect(args).toEqual(['--0', '--1', '--a', '--b', '--c', '--d'])
    expect(environment).toEqual({ A: '1', B: '2', C: '3' })
    expect(envKeep).toEqual(expect.arrayContaining(['PATH', 'EXTRA']))
    expect(config.Authenticator.adminUsers).toEqual(new Set(['ana', 'bo', 'cy']))
  })

  test('of another kind of value are refused by name', async () => {
    const problem = await problemOf("c.Authenticator.admin_users.append('ana')")
    expect(problem).toMatchObject({
      option: 'Authenticator.admin_users',
      message: "'append' cannot be done to a set.",
    })
  })

  test('looking at an option changes nothing', async () => {
    const { config, warnings } = await load('c.JupyterHub.port', 'c.JupyterHub.no_such', 'c.Foo.x')
    expect(config.JupyterHub.port).toBe(8000)
    expect(warnings).toEqual([])
  })
})

test('load_subconfig finds files beside the one that loads them, also nested', async () => {
  await write(
    'one.py',
    "c.JupyterHub.port = 1\nc.Spawner.args.append('one')\nload_subconfig('two.py')\n",
  )
  await write('two.py', "get_config().JupyterHub.port = 2\nc.Spawner.args.append('two')\n")
  const { config } = await load("load_subconfig('one.py')", "c.Spawner.args.append('main')")
  expect(config.JupyterHub.port).toBe(2)
  expect(config.Spawner.args).toEqual(['one', 'two', 'main'])
})

describe('code instead of data', () => {
  test.each([
    ['c.Spawner.options_form = lambda spawner: "x"', 'Spawner.options_form', 'function <lambda>'],
    ['c.Spawner.pre_spawn_hook = print', 'Spawner.pre_spawn_hook', 'function print'],
    ['c.JupyterHub.port = object()', 'JupyterHub.port', 'object object'],
    ["c.Spawner.args = ['a', len]", 'Spawner.args', 'item 2: a function len'],
    [
      'class Mine: pass\nc.JupyterHub.spawner_class = Mine',
      'JupyterHub.spawner_class',
      'the class Mine is no spawner',
    ],
  ])('%s is refused by name', async (line, option, message) => {
    const problem = await problemOf(line)
    expect(problem).toMatchObject({
      source: join(cwd, 'jupyterhub_config.py'),
      option,
      message: expect.stringContaining(message) as string,
    })
  })

  test("a class of JupyterHub's own is the built-in of that name", async (ctx) => {
    if (!hasPython('jupyterhub.spawner')) return ctx.skip('needs the Python package jupyterhub')
    const { config } = await load(
      'from jupyterhub.spawner import SimpleLocalProcessSpawner',
      'c.JupyterHub.spawner_class = SimpleLocalProcessSpawner',
    )
    expect(config.JupyterHub.spawner).toBe('simple')
  })
})

describe('a file that fails', () => {
  test.each([
    ['a syntax error', ['x = 1', 'c.JupyterHub.port =='], 2, 'SyntaxError'],
    ['an exception', ['', '', '1 / 0'], 3, 'ZeroDivisionError'],
    ['one in a function of the file', ['def f():', '  1 / 0', 'f()'], 2, 'ZeroDivisionError'],
    ['one in a library', ['import json', "json.loads('{')"], 2, 'JSONDecodeError'],
    ['reading what is not set', ["c.Spawner.environment['A']"], 1, 'not set in the configuration'],
  ])('with %s is named with its line', async (_case, lines, line, message) => {
    const problem = await problemOf(...lines)
    expect(problem.source).toBe(`${join(cwd, 'jupyterhub_config.py')}:${line}`)
    expect(problem.message).toContain(message)
  })

  test('in a subconfig is named with its own line', async () => {
    const file = await write('sub.py', '\nraise ValueError("no")\n')
    const problem = await problemOf("load_subconfig('sub.py')")
    expect(problem).toMatchObject({ source: `${file}:2`, message: 'ValueError: no.' })
  })

  test('by ending the program is an error', async () => {
    const problem = await problemOf('import sys', 'sys.exit(0)')
    expect(problem.message).toContain('ended the program')
  })
})
