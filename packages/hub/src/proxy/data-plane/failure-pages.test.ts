import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  addRoute,
  ask,
  baseForward,
  deadTarget,
  edge,
  serve,
  temporaryFolder,
} from './edge-test-kit.ts'

test('a dead target is a 503 from the error target, a missing route a 404', async () => {
  const asked: string[] = []
  const pages = await serve((req, res) => {
    asked.push(req.url ?? '')
    res.end('custom page')
  })
  const e = await edge()
  await addRoute(e, '/user/ada', deadTarget)
  const plain = await ask(e, '/user/ada/lab')
  expect([plain.status, (await ask(e, '/none')).status]).toEqual([503, 404])
  const forward = { ...baseForward, errorTarget: `${pages.url}/hub/error` }
  const second = await edge({ forward })
  await addRoute(second, '/user/ada', deadTarget)
  const answer = await ask(second, '/user/ada/lab?x')
  expect([answer.status, await answer.text()]).toEqual([503, 'custom page'])
  expect(asked).toEqual(['/hub/error/503?url=%2Fuser%2Fada%2Flab%3Fx'])
})

test('a hub that is away gives browsers a page that tries again and API clients JSON', async () => {
  const e = await edge({ defaultTarget: deadTarget })
  const page = await ask(e, '/hub/home', { headers: { Accept: 'text/html' } })
  expect([page.status, await page.text()]).toEqual([503, expect.stringContaining('refresh')])
  const json = await ask(e, '/hub/api/users')
  expect(json.headers.get('retry-after')).toBe('2')
  expect(await json.json()).toMatchObject({ status: 503 })
})

test('error pages come from the folder: that of the status, else the general one, else ours', async () => {
  const errorPath = await temporaryFolder()
  const e = await edge({ forward: { ...baseForward, errorPath } })
  await addRoute(e, '/dead', deadTarget)
  const texts = async (): Promise<unknown[]> => {
    const answers = await Promise.all([ask(e, '/dead'), ask(e, '/none')])
    return Promise.all(answers.map(async (answer) => [answer.status, await answer.text()]))
  }
  const [builtIn] = (await texts()) as [[number, string]]
  expect(builtIn).toEqual([503, expect.stringContaining('<!doctype html>')])
  await writeFile(join(errorPath, 'error.html'), 'general')
  await writeFile(join(errorPath, '503.html'), 'not up')
  expect(await texts()).toEqual([
    [503, 'not up'],
    [404, 'general'],
  ])
})
