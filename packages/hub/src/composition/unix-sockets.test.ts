import { expect, test } from 'vitest'
import { proxyApiUrl as proxyApiUrlOf } from './proxies.ts'
import { bindUrl, httpUrl, parseBindUrl, proxyApiUrl } from '../config/codecs-units.ts'
import type { Config } from '../config/options/classes.ts'

const socket = 'http+unix://%2Frun%2Forrery.sock'

test('the old spelling of a socket is read as the new one, with a warning', () => {
  const warnings: string[] = []
  const context = { warn: (message: string) => void warnings.push(message) }
  const old = 'unix+http://%2frun%2forrery.sock/base'
  expect(bindUrl.decode(old, context)).toBe(`${socket}/base`)
  expect(proxyApiUrl.decode(socket, context)).toBe(socket)
  expect(warnings).toEqual([expect.stringContaining('old spelling')])
  expect(parseBindUrl(`${socket}/base`)).toMatchObject({
    socketPath: '/run/orrery.sock',
    path: '/base',
  })
})

test.each([
  ['bind_url that is no path', bindUrl, 'http+unix://run.sock', /absolute path/],
  ['api_url with a path behind it', proxyApiUrl, `${socket}/api`, /path behind/],
  ['hub_bind_url', httpUrl, socket, /address and a port/],
])('%s is refused', (_what, codec, value, message) => {
  expect(() => codec.decode(value, { warn: () => undefined })).toThrow(message)
})

test('an API on a socket is refused with internal_ssl', () => {
  const config = {
    JupyterHub: { internalSsl: true },
    ConfigurableHTTPProxy: { apiUrl: socket },
  } as Config
  expect(() => proxyApiUrlOf(config)).toThrow(/internal_ssl/)
})
