import { expect, test } from 'vitest'
import { parseEdgeFlags } from './edge-options.ts'

/** Those that configurable-http-proxy refuses too are in test/proxy/command. */
const refused: readonly (readonly [flags: readonly string[], why: RegExp])[] = [
  [['--port', 'abc'], /--port is a whole number up to 65535/],
  [['--api-port', '70000'], /--api-port is a whole number/],
  [['--metrics-port', '1x'], /metrics-port/],
  [['--ssl-key', 'k'], /come in pairs/],
  [['--acme-domain', 'hub.test'], /needs --redirect-port/],
  [['--trusted-proxy', '10.0.0.0/33'], /'10\.0\.0\.0\/33' is not an address range/],
  [['--storage-backend', 'yaml', '--hub-url', 'http://x/hub/'], /--hub-url exclude each other/],
  [['--storage-backend', 'yaml', '--snapshot-file', 'x'], /--snapshot-file exclude each other/],
  [['--storage-backend', 'no-such-package'], /there is no module 'no-such-package'/],
  [['--timeout', '1s'], /--timeout is a whole number/],
  [['--proxy-timeout', ''], /--proxy-timeout is a whole number/],
  [['--log-level', 'loud'], /--log-level is one of debug, info, warn, error/],
  [['--ssl-protocol', 'SSLv3'], /TLSv1_2 or TLSv1_3/],
  [['--default-target', 'localhost:8888'], /--default-target is a URL/],
  [['--error-target', 'nonsense'], /--error-target is a URL/],
  [['--custom-header', 'a b: c'], /--custom-header is NAME:VALUE/],
  [['--custom-header', 'a: b\r\nc: d'], /--custom-header is NAME:VALUE/],
  [['--custom-header', 'Transfer-Encoding: chunked'], /the edge's own/],
  [['--api-ssl-key', '/nowhere/key'], /--api-ssl-cert come together/],
  [['--api-ssl-ca', '/nowhere/ca'], /needs --api-ssl-key/],
  [['--route-limits', '/x'], /--route-limits is PATH:NAME=N/],
  [['--route-limits', 'x:max-concurrent=1'], /--route-limits is PATH:NAME=N/],
  [['--route-limits', '/x:max-concurrent=1,max=2'], /names of max-body-size, max-req/],
  [['--route-limits', '/x:max-concurrent=many'], /--route-limits is PATH:NAME=N/],
  [['--client-ssl-cert', '/nowhere/cert'], /--client-ssl-cert come together/],
]

test.for(refused)('%j is refused with a reason', ([flags, why]) => {
  expect(() => parseEdgeFlags(flags, {})).toThrow(why)
})

test('of custom headers with one name the last counts, whatever their case', () => {
  const flags = ['k1: v1', ' K2 : host:123 ', 'k1:v2'].flatMap((text) => ['--custom-header', text])
  expect(parseEdgeFlags(flags, {}).options.forward.customHeaders).toEqual([
    ['k1', 'v2'],
    ['K2', 'host:123'],
  ])
})

test('limits of routes are read', () => {
  const flags = ['/a:b/:max-body-size=5, max-concurrent=0', '/:max-requests-per-second=7']
  const { limits } = parseEdgeFlags(
    flags.flatMap((one) => ['--route-limits', one]),
    {},
  ).options
  expect(limits?.ofRoutes).toEqual([
    { path: '/a:b', maxBodyBytes: 5, maxConcurrent: 0 },
    { path: '/', maxRequestsPerSecond: 7 },
  ])
})

test('ports follow from the public one, or from there being none', () => {
  const portsOf = (...flags: string[]): number[] => {
    const { publicListen, apiListen } = parseEdgeFlags(flags, {}).options
    return [publicListen.port, apiListen.port]
  }
  expect(portsOf()).toEqual([8000, 8001])
  expect(portsOf('--port', '9000')).toEqual([9000, 9001])
  expect(portsOf('--port', '9000', '--api-port', '7')).toEqual([9000, 7])
  expect(portsOf('--socket', '/run/x')[1]).toBe(8001)
})

test('sockets win over addresses of the API and of the metrics', () => {
  const flags = ['--api-socket', '/run/a', '--api-port', '1', '--metrics-socket', '/run/m']
  const { apiListen, metricsListen } = parseEdgeFlags(flags, {}).options
  expect([apiListen.socketPath, metricsListen?.socketPath]).toEqual(['/run/a', '/run/m'])
})

test.each([
  [['--metrics-ip', '127.0.0.1'], undefined],
  [['--metrics-port', '9'], { ip: undefined, port: 9 }],
  [['--metrics-port', '9', '--metrics-ip', '::1'], { ip: '::1', port: 9 }],
])('%j: metrics at %j', (flags, at) => {
  expect(parseEdgeFlags(flags, {}).options.metricsListen).toEqual(at)
})

test.each([
  [['--redirect-port', '81', '--port', '444'], { port: 81, toPort: 444 }],
  [['--redirect-port', '81', '--redirect-to', '443'], { port: 81, toPort: 443 }],
  [['--redirect-port', '81', '--port', '80'], undefined],
  [['--redirect-port', '81', '--socket', '/run/x'], undefined],
])('%j: the redirect is %j', (flags, redirect) => {
  const tls = ['--ssl-key', 'k', '--ssl-cert', 'c']
  expect(parseEdgeFlags([...flags, ...tls], {}).options.tls?.redirect).toEqual(redirect)
})
