import { execFile } from 'node:child_process'
import { access, constants, open } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import type { PythonInfo } from '../api/context.ts'

const timeoutMs = 5_000
const maxShebangBytes = 256
const script = 'import sys; print(sys.executable); print(sys.version)'
const unknown: PythonInfo = { version: '', executable: '' }

/**
 * Finds the Python that a server's command runs with, by the first line of its program. Asked once;
 * empty where the command is no Python program of this machine.
 */
export function createPythonFinder(
  command: string,
  env: Readonly<Record<string, string | undefined>>,
): () => Promise<PythonInfo> {
  let found: Promise<PythonInfo> | undefined
  return () => (found ??= find(command, env).catch(() => unknown))
}

async function find(
  command: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<PythonInfo> {
  const file = await locate(command, env)
  const interpreter = file === undefined ? undefined : await readInterpreter(file)
  if (interpreter === undefined) return unknown
  const [program = '', ...args] = interpreter
  const { stdout } = await promisify(execFile)(program, [...args, '-c', script], {
    timeout: timeoutMs,
    env: { PATH: env['PATH'] },
  })
  const [executable = '', ...version] = stdout.trim().split('\n')
  return { executable, version: version.join('\n') }
}

async function locate(
  command: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  if (isAbsolute(command)) return command
  if (command === '' || command.includes('/')) return undefined
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, command)
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return file
  }
  return undefined
}

/** `#!/path/python` or `#!/usr/bin/env python3`, as words. */
async function readInterpreter(file: string): Promise<string[] | undefined> {
  await using handle = await open(file)
  const { buffer, bytesRead } = await handle.read(
    Buffer.alloc(maxShebangBytes),
    0,
    maxShebangBytes,
    0,
  )
  const line = buffer.subarray(0, bytesRead).toString('utf8').split('\n', 1)[0] ?? ''
  const words = line.startsWith('#!') ? line.slice(2).trim().split(/\s+/) : []
  return words.some((word) => /python[\d.]*$/.test(word)) ? words : undefined
}
