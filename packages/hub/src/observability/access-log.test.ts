import { expect, test } from 'vitest'
import { scrubUrl } from './access-log.ts'

test.each([
  ['/hub/login?next=%2Fhub%2F', '/hub/login?next=%2Fhub%2F'],
  ['/cb?code=abc&state=def&x=1', '/cb?code=[secret]&state=[secret]&x=1'],
  ['/hub/setup?token=abc', '/hub/setup?token=[secret]'],
  ['/a?_xsrf=1|2', '/a?_xsrf=[secret]'],
  ['/hub/api/authorizations/token/abc', '/hub/api/authorizations/token/[secret]'],
  ['/a\nb', '/a\\u000ab'],
  ['/l?next=%2Fa%3Ftoken%3Dabc%26x%3D1', '/l?next=%2Fa%3Ftoken%3D[secret]%26x%3D1'],
  ['/l?next=/a?token=abc', '/l?next=%2Fa%3Ftoken%3D[secret]'],
  [
    '/l?next=%2Fl%3Fnext%3D%252Fa%253Fcode%253Dabc',
    '/l?next=%2Fl%3Fnext%3D%252Fa%253Fcode%253D[secret]',
  ],
  ['/a?t%6Fken=abc', '/a?t%6Fken=[secret]'],
  ['/a?x=100%', '/a?x=100%'],
])('%s is logged as %s', (url, logged) => {
  expect(scrubUrl(url)).toBe(logged)
})
