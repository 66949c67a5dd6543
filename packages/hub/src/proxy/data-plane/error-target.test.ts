import { expect, test, vi } from 'vitest'
import { cleanups, patience, serve } from './edge-test-kit.ts'
import { askErrorTarget } from './error-target.ts'

test('a target that hangs is asked a hundred times at once, and again when it has answered', async () => {
  const waiting: (() => void)[] = []
  const { url } = await serve((_req, res) => void waiting.push(() => res.end('page')))
  cleanups.push(() => waiting.forEach((answer) => answer()))
  const ask = () => askErrorTarget(url, { code: 404, asked: '/', tls: undefined })
  const answers = Array.from({ length: 100 }, ask)
  expect(await ask()).toBeUndefined()
  await vi.waitUntil(() => waiting.length === 100, patience)
  for (const answer of waiting.splice(0)) answer()
  const bodies = (await Promise.all(answers)).map((answer) => answer?.body.toString())
  expect(new Set(bodies)).toEqual(new Set(['page']))
  const again = ask()
  await vi.waitUntil(() => waiting.length === 1, patience)
  waiting[0]?.()
  expect((await again)?.status).toBe(404)
})
