import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createPythonFinder } from './server-python.ts'

const unknown = { version: '', executable: '' }
let folder = ''
afterEach(() => rm(folder, { recursive: true, force: true }))

async function program(firstLine: string): Promise<string> {
  folder = await mkdtemp(join(tmpdir(), 'orrery-python-'))
  const file = join(folder, 'server')
  await writeFile(file, `${firstLine}\nprint("the program itself is not run")\n`)
  await chmod(file, 0o755)
  return file
}

test('the Python of a server is that of the first line of its program', async () => {
  const file = await program('#!/usr/bin/env python3')
  const inPath = createPythonFinder('server', { PATH: `${folder}:${process.env['PATH'] ?? ''}` })
  expect(await inPath()).toEqual({
    version: expect.stringMatching(/^3\.\d+/) as unknown,
    executable: expect.stringContaining('python') as unknown,
  })
  const byFile = createPythonFinder(file, process.env)
  expect(await byFile()).toEqual(await inPath())
})

test('what is no Python program of this machine is unknown', async () => {
  const file = await program('#!/bin/sh')
  for (const command of [file, 'no-such-program', '', 'a/b', '/no/such/file']) {
    expect(await createPythonFinder(command, { PATH: '/nowhere' })()).toEqual(unknown)
  }
})
