import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { adminNouns, UsageError } from '../arguments.ts'
import { createAdminProgram, runAdmin } from './program.ts'
import type { AdminContext } from './session.ts'

async function run(...argv: string[]) {
  let stdout = ''
  const stream = new PassThrough()
  const out = Object.assign(new PassThrough(), { isTTY: false }).on('data', (text) => {
    stdout += String(text)
  })
  const context = {
    stdin: stream,
    stdout: out,
    stderr: stream,
    env: {},
    cwd: '/',
    signal: new AbortController().signal,
  } as unknown as AdminContext // plain streams in place of a terminal's
  const code = await runAdmin(argv, context)
  return { code, stdout }
}

test.each<[string[], RegExp]>([
  [['users'], /Usage: orrery users/],
  [['users', 'lst'], /Did you mean list/],
  [['users', 'list', '--colour'], /unknown option '--colour'/],
  [['users', 'list', '--limit', 'x'], /--limit.*number/],
  [['users', 'list', '--limit'], /argument missing/],
  [['users', 'list', '--state', 'asleep'], /Allowed choices are active/],
  [['users', 'list', 'ada'], /too many arguments/],
  [['users', 'show'], /missing required argument 'name'/],
  [['users', 'admin', 'ada', 'maybe'], /Expected 'on' or 'off'/],
  [['servers', 'show', '/gpu'], /Expected USER or USER\/SERVER/],
  [['servers', 'start', 'ada', '--option', '[]'], /Expected a JSON object/],
  [['groups', 'properties', 'set', 'staff', 'quota'], /Expected KEY=VALUE/],
  [['tokens', 'create', 'ada', '--expires-in', 'soon'], /Expected a duration/],
])('%j is a usage error', async (argv, message) => {
  const thrown = await run(...argv).catch((error: unknown) => error)
  expect(thrown).toBeInstanceOf(UsageError)
  expect(thrown).toMatchObject({ exitCode: 2, message: expect.stringMatching(message) as string })
})

test.each(Object.keys(adminNouns))('orrery %s --help lists its commands', async (noun) => {
  const { code, stdout } = await run(noun, '--help')
  expect(code).toBe(0)
  expect(stdout).toContain(`Usage: orrery ${noun}`)
  expect(stdout).toMatch(/^ {2}list /m)
})

test('every command has the flags that say which hub, and --json', () => {
  const program = createAdminProgram(() => () => Promise.resolve())
  const leaves = program.commands.flatMap((noun) =>
    noun.commands.flatMap((command) =>
      command.commands.length === 0 ? [command] : command.commands,
    ),
  )
  expect(leaves.length).toBeGreaterThan(30)
  for (const command of leaves) {
    const flags = command.options.map(({ long }) => long)
    expect(flags).toEqual(expect.arrayContaining(['--json', '--url', '--token-file', '--config']))
    expect(command.description()).not.toBe('')
  }
})
