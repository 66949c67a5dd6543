import { expect, test } from 'vitest'
import { findTarget } from './target.ts'

test.each([
  'http://127.0.0.1:40123',
  'http://127.0.0.1:59999',
  'http://10.0.0.255:60000',
  'http://10.0.0.256:1',
  'http://127.0.0.1:80',
  'http://127.0.0.1:8',
  'http://127.0.0.1:080',
  'http://127.0.0.1:0',
  'http://127.0.0.1:65536',
  'http://127.0.0.1:99999',
  'http://127.0.0.1',
  'http://127.1:81',
  'http://0127.0.0.1:81',
  'http://1.2.3:81',
  'http://1.2.3.4.5:81',
  'http://127.0.0.1:81/',
  'http://127.0.0.1:81/a/?b',
  'http://127.0.0.1:81\n',
  'HTTP://127.0.0.1:81',
  'https://127.0.0.1:81',
  'http://user@127.0.0.1:81',
])('%j is read as URL reads it', (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const target = findTarget(text)
  expect(target && [target.protocol, target.origin, target.host, target.hostname]).toEqual(
    url && [url.protocol, url.origin, url.host, url.hostname],
  )
  const implied = url?.protocol === 'https:' ? 443 : 80
  expect(target && [target.port, target.path, target.query]).toEqual(
    url && [
      url.port === '' ? implied : Number(url.port),
      url.pathname.replace(/\/+$/, ''),
      url.search,
    ],
  )
})
