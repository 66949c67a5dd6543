import { expect, test } from 'vitest'
import { redirectLimit, redirectLoop } from './redirect-limit.ts'

test.each([
  ['6.0.0', 4, 4],
  ['6.1.1', 4, 4],
  ['5.5.4', 4, 2],
  ['60.0', 4, 2],
  [null, 4, 2],
  [null, 1, 1],
  ['6.0.0', 1, 1],
])('a server with version %s may be tried so often: of %i, %i', (version, configured, limit) => {
  expect(redirectLimit(version, configured)).toBe(limit)
})

test('the message names the versions where they may be the cause', () => {
  expect(redirectLoop('4.1.6').message).toContain('jupyterhub version 4.1.6, but the hub has 6.')
  expect(redirectLoop(null).message).toContain('version unknown')
  expect(redirectLoop('6.1.1').message).toContain('the proxy may not reach it')
})
