import { STATUS_CODES } from 'node:http'

/** An answer of the edge itself. */
export interface LocalAnswer {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
}

export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? 'Error'
}
