import { open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { stripVTControlCharacters } from 'node:util'
import { shorten } from '../domain/names.ts'
import { hasErrno } from '../util/errno.ts'

const lookEveryMs = 250
/** Read at one look; with the pause above, what one service may add to the hub's log per second. */
const maxBytesPerLook = 64 * 1024
/** A service further ahead than this loses lines rather than fall behind for good. */
const maxBehindBytes = 1024 * 1024
const maxLineLength = 4_096
/** At the end of a service that writes on and on. */
const maxLastLooks = 16

export interface OutputOptions {
  readonly path: string
  /** `end` for a service that ran before this hub. */
  readonly from: 'start' | 'end'
  readonly onLine: (line: string) => void
}

/**
 * Passes lines on that a service writes into its log file, for people: no control codes, no line
 * without bound. The file is the service's output, so that it outlives the hub.
 * @returns the function that passes on what is there and stops
 */
export function followOutput(options: OutputOptions): () => Promise<void> {
  const { path, onLine } = options
  let offset = options.from === 'start' ? 0 : -1
  let rest = ''
  let decoder = new StringDecoder('utf8')
  let looking: Promise<void> | undefined

  function emit(text: string): void {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > maxLineLength) {
      lines.push(rest)
      rest = ''
    }
    for (const line of lines) {
      const shown = shorten(
        stripVTControlCharacters(line).trimEnd().replaceAll('\t', '  '),
        maxLineLength,
      )
      if (shown !== '') onLine(shown)
    }
  }

  /** @returns whether there is more */
  async function read(): Promise<boolean> {
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    if (offset < 0) offset = size
    if (size < offset) offset = 0 // it was emptied because it had grown too long
    if (size - offset > maxBehindBytes) {
      const skipped = size - offset - maxBytesPerLook
      offset += skipped
      rest = ''
      decoder = new StringDecoder('utf8')
      onLine(`(${skipped} bytes of output are left out here; they are in ${path})`)
    }
    const buffer = Buffer.alloc(Math.min(size - offset, maxBytesPerLook))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset)
    offset += bytesRead
    emit(decoder.write(buffer.subarray(0, bytesRead)))
    return offset < size
  }

  async function look(): Promise<boolean> {
    try {
      return await read()
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) onLine(`(its output cannot be read: ${String(error)})`)
      return false
    }
  }

  const timer = setInterval(() => {
    looking ??= look().then(() => {
      looking = undefined
    })
  }, lookEveryMs)

  return async () => {
    clearInterval(timer)
    await looking
    for (let round = 0; round < maxLastLooks && (await look()); round++);
    emit('\n')
  }
}
