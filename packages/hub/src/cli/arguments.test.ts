import { expect, test } from 'vitest'
import { parseArguments, UsageError } from './arguments.ts'

const flagsOf = (...argv: string[]) =>
  parseArguments(argv).flags.map(({ section, name, texts }) => [`${section}.${name}`, ...texts])

// Source: contract cli-metrics-events §1.1.
test.each<[string[], string[][]]>([
  [['--ip=127.0.0.1'], [['JupyterHub.ip', '127.0.0.1']]],
  [['--port', '9000'], [['JupyterHub.port', '9000']]],
  [['--url=http://:9000/x'], [['JupyterHub.bind_url', 'http://:9000/x']]],
  [['--hub-ip', '0.0.0.0'], [['JupyterHub.hub_ip', '0.0.0.0']]],
  [['--db=sqlite:///x'], [['JupyterHub.db_url', 'sqlite:///x']]],
  [['--no-db'], [['JupyterHub.db_url', 'sqlite:///:memory:']]],
  [['--debug'], [['Application.log_level', '10']]],
  [['--data-dir', '/x'], [['Orrery.data_dir', '/x']]],
  [['--Spawner.mem_limit=2G'], [['Spawner.mem_limit', '2G']]],
  [['--Spawner.args', '-a', '--Spawner.args=--b'], [['Spawner.args', '-a', '--b']]],
  [['--no-ssl'], []],
])('%j sets %j', (argv, expected) => {
  expect(flagsOf(...argv)).toEqual(expected)
})

test.each<[string[], string]>([
  [[], 'start'],
  [['hub'], 'hub'],
  [['token', 'ada'], 'token'],
  [['upgrade-db'], 'upgrade-db'],
  [['--version'], 'version'],
  [['-V'], 'version'],
  [['hub', '-h'], 'help'],
  [['help'], 'help'],
])('%j is the command %s', (argv, command) => {
  expect(parseArguments(argv).command).toBe(command)
})

test('what follows edge is left to the edge', () => {
  expect(parseArguments(['edge', '--port', '1', '--x'])).toMatchObject({
    command: 'edge',
    rest: ['--port', '1', '--x'],
  })
})

test('a configuration file and switches are read', () => {
  expect(parseArguments(['-f', 'x.py', '--strict', '-y', '--show-config-json'])).toMatchObject({
    configFile: 'x.py',
    strict: true,
    answerYes: true,
    showConfig: 'json',
  })
})

test.each<[string[], 1 | 2, RegExp]>([
  [['--port'], 2, /needs a value/],
  [['--config'], 2, /needs a value/],
  [['--debug=true'], 2, /takes no value/],
  [['--prot=1'], 1, /Did you mean --port/],
  [['-xno-ssl'], 1, /no flag/],
  [['upgrade'], 1, /Did you mean 'upgrade-db'/],
  [['hub', 'ada'], 1, /no command/],
])('%j ends with %i', (argv, exitCode, message) => {
  let thrown: unknown
  try {
    parseArguments(argv)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(UsageError)
  expect(thrown).toMatchObject({ exitCode, message: expect.stringMatching(message) as string })
})
