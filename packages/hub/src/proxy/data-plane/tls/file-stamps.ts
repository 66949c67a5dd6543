import { stat } from 'node:fs/promises'

/** Of a file that is not there. */
export const absent = 'absent'

/**
 * Changes when one of the files does. Certificate tools replace files and links in ways that file
 * events miss.
 */
export async function stampsOf(paths: readonly string[]): Promise<string> {
  return (await Promise.all(paths.map(stampOf))).join(' ')
}

export async function stampOf(path: string): Promise<string> {
  try {
    const { ino, mtimeMs, size } = await stat(path)
    return `${ino}:${mtimeMs}:${size}`
  } catch {
    return absent
  }
}
