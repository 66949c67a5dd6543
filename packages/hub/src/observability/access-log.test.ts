import { expect, test } from 'vitest'
import { scrubUrl } from './access-log.ts'

test.each([
  ['/hub/login?next=%2Fhub%2F', '/hub/login?next=%2Fhub%2F'],
  ['/cb?code=abc&state=def&x=1', '/cb?code=[secret]&state=[secret]&x=1'],
  ['/hub/setup?token=abc', '/hub/setup?token=[secret]'],
  ['/a?_xsrf=1|2', '/a?_xsrf=[secret]'],
  ['/hub/api/authorizations/token/abc', '/hub/api/authorizations/token/[secret]'],
  ['/a\nb', '/a\\u000ab'],
])('%s is logged as %s', (url, logged) => {
  expect(scrubUrl(url)).toBe(logged)
})
