import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { CommandFailed } from '../command-failed.ts'
import { type Streams, Terminal } from './terminal.ts'

function open(options: { tty: boolean; env?: NodeJS.ProcessEnv; quiet?: boolean }) {
  const stream = () => Object.assign(new PassThrough(), { isTTY: options.tty, columns: 20 })
  const [stdin, stdout, stderr] = [stream(), stream(), stream()]
  const streams = { stdin, stdout, stderr, env: options.env ?? {} } as unknown as Streams // enough of a terminal
  const terminal = new Terminal(streams, { quiet: options.quiet ?? false })
  return {
    terminal,
    stdin,
    told: () => String(stderr.read() ?? ''),
    printed: () => String(stdout.read() ?? ''),
  }
}

test.each(['y', 'Yes'])('a person who says %s goes on', async (answer) => {
  const { terminal, stdin, told } = open({ tty: true })
  stdin.write(`${answer}\n`)
  await terminal.confirm('Delete ada?', { yes: false })
  expect(told()).toContain('Delete ada? [y/N]')
})

test.each(['n', '', 'yesterday'])('a person who says %j does not', async (answer) => {
  const { terminal, stdin } = open({ tty: true })
  stdin.write(`${answer}\n`)
  await expect(terminal.confirm('Delete ada?', { yes: false })).rejects.toThrow(CommandFailed)
})

test.each([
  ['a script', { tty: false }, { yes: false }],
  ['--yes', { tty: true }, { yes: true }],
])('%s is not asked', async (_who, options, choice) => {
  const { terminal, told } = open(options)
  await terminal.confirm('Delete ada?', choice)
  expect(told()).toBe('')
})

test('headings are bold on a terminal alone', () => {
  expect(open({ tty: true }).terminal.heading('NAME')).toBe('\u001b[1mNAME\u001b[22m')
  expect(open({ tty: false }).terminal.heading('NAME')).toBe('NAME')
  expect(open({ tty: true, env: { NO_COLOR: '1' } }).terminal.heading('NAME')).toBe('NAME')
})

test('news take one line of a terminal, which is ended before anything else', () => {
  const { terminal, told, printed } = open({ tty: true })
  terminal.update('ada: a long story about a start')
  terminal.print('ada: ready')
  expect(told()).toBe('\r\u001b[2Kada: a long story a\n')
  expect(printed()).toBe('ada: ready\n')
})

test('news are lines elsewhere, and nothing where they would be in the way', () => {
  const script = open({ tty: false })
  script.terminal.update('ada: starting')
  expect(script.told()).toBe('ada: starting\n')
  const quiet = open({ tty: false, quiet: true })
  quiet.terminal.update('ada: starting')
  expect(quiet.told()).toBe('')
})
