import { fstatSync, writeFileSync } from 'node:fs'
import { messageOf } from '../domain/errors.ts'

const descriptor = 2
let isStream: boolean | undefined
let lost = 0
let cause = ''

/**
 * Writes whole lines to stderr, as well as it can: a full disk or a reader that has gone loses
 * them, and the program goes on. Once a file takes lines again, one says how many are missing.
 */
export function writeStandardError(lines: string): void {
  isStream ??= !isFile()
  if (isStream) {
    process.stderr.write(lines)
    return
  }
  // Node's own stream for a file is of no use any more after its first error.
  try {
    if (lost > 0) writeFileSync(descriptor, `\n${lost} times no log could be written: ${cause}\n`)
    lost = 0
    writeFileSync(descriptor, lines)
  } catch (error) {
    lost += 1
    cause = messageOf(error)
  }
}

/** An error of stdout or stderr ends a program that does not listen for it. */
export function outliveBrokenOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}

/** A device is written like a file, a terminal is not. */
function isFile(): boolean {
  if (process.stderr.isTTY) return false
  try {
    const stats = fstatSync(descriptor)
    return stats.isFile() || stats.isCharacterDevice()
  } catch {
    return false
  }
}
