import { constants } from 'node:fs'
import { open, rename, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { hasErrno } from '../../util/errno.ts'

export const maxLogBytes = 10 * 1024 * 1024
const maxTailBytes = 8 * 1024

export function logPath(runDir: string): string {
  return join(runDir, 'server.log')
}

/** Descriptor for the output of a server, readable to the hub only. The caller closes it. */
export async function openLog(runDir: string) {
  const path = logPath(runDir)
  if ((await sizeOf(path)) > maxLogBytes) await rename(path, `${path}.1`)
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW
  return await open(path, flags, 0o600)
}

/**
 * Keeps the end of a log that grew beyond {@link maxLogBytes} as `server.log.1` and empties it.
 * The server holds the file open, so it is emptied rather than renamed; what it writes between copy
 * and truncation is lost. Between two calls the file may grow without bound.
 */
export async function trimLog(runDir: string, maxBytes = maxLogBytes): Promise<void> {
  const path = logPath(runDir)
  if ((await sizeOf(path)) <= maxBytes) return
  await writeFile(`${path}.1`, await readEnd(path, maxBytes), { mode: 0o600 })
  await truncate(path, 0)
}

/** The last `lines` lines, at most 8 KiB, without terminal control codes; `''` without a log. */
export async function tailLog(runDir: string, lines: number): Promise<string> {
  try {
    const bytes = await readEnd(logPath(runDir), maxTailBytes)
    const text = stripVTControlCharacters(bytes.toString('utf8')).trimEnd()
    return text.split(/\r?\n/).slice(-Math.max(1, lines)).join('\n')
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return ''
    throw error
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 0
    throw error
  }
}

async function readEnd(path: string, maxBytes: number): Promise<Buffer> {
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  const length = Math.min(size, maxBytes)
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, size - length)
  return buffer.subarray(0, bytesRead)
}
