import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { choosePort, findFreePort } from './port.ts'

const rangeFile = '/proc/sys/net/ipv4/ip_local_port_range'

test('an outgoing connection never gets the port of a server that is to start', async (context) => {
  let range = ''
  try {
    range = readFileSync(rangeFile, 'utf8')
  } catch {
    context.skip(`no ${rangeFile} on this system`)
  }
  const [first = 0, last = 0] = range.trim().split(/\s+/).map(Number)
  const ports = await Promise.all(Array.from({ length: 40 }, () => findFreePort('127.0.0.1')))
  expect(new Set(ports).size).toBe(40)
  expect(ports.filter((port) => port >= first && port <= last)).toEqual([])
  for (const port of ports) {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    server.close()
  }
})

test('whatever an administrator leaves for outgoing connections, the choice is another', () => {
  const port = fc.integer({ min: 1, max: 65_535 })
  fc.assert(
    fc.property(port, port, (one, other) => {
      const [first, last] = one < other ? [one, other] : [other, one]
      const chosen = choosePort([first, last])
      if (chosen === 0) return first <= 10_000 && last === 65_535
      return chosen >= 10_000 && chosen <= 65_535 && (chosen < first || chosen > last)
    }),
  )
})

test('an address that is not of this machine is refused', async () => {
  await expect(findFreePort('192.0.2.1')).rejects.toThrow(/EADDRNOTAVAIL/)
})
