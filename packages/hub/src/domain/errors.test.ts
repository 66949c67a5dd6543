import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errorCatalogue } from './errors.ts'

test('the reference page lists every error with its status, and no other', () => {
  const page = readFileSync(
    new URL('../../../../docs/reference/errors.md', import.meta.url),
    'utf8',
  )
  const rows = [...page.matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ])
  const entries = Object.entries(errorCatalogue).map(([code, { status }]) => [code, status])
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(entries))
})
