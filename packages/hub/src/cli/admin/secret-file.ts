import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { messageOf } from '../../domain/errors.ts'
import { CommandFailed } from '../command-failed.ts'

/** A token out of a file, or with `-` out of standard input: nobody sees it in the process list. */
export async function readSecret(file: string, stdin: NodeJS.ReadableStream): Promise<string> {
  let content: string
  try {
    content = file === '-' ? await text(stdin) : readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandFailed(`The token file ${file} cannot be read: ${messageOf(error)}`)
  }
  return checkToken(content.trim(), file)
}

/** What no header can hold would fail later, with the value in the message. */
export function checkToken(token: string, where: string): string {
  if (/^[\x21-\x7e]{1,1024}$/.test(token)) return token
  throw new CommandFailed(`${where} holds no token: one word of printable characters is expected.`)
}
