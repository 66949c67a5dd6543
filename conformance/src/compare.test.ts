import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareSteps } from './compare.ts'
import { CookieJar, parseSetCookie } from './cookie-jar.ts'
import type { Hub } from './hubs/hub.ts'
import { capture } from './normalise/capture.ts'
import { fieldValue, readPage } from './normalise/html.ts'
import { Normaliser } from './normalise/normaliser.ts'
import type { StepResult } from './session.ts'

const hub: Hub = {
  kind: 'orrery',
  setup: 'main',
  origin: 'http://127.0.0.1:4000',
  baseUrl: '/',
  ports: new Map([['4000', '{public-port}']]),
  folder: '/tmp/somewhere',
  externalUrl: 'http://127.0.0.1:4001',
  log: () => '',
  stop: () => Promise.resolve(),
}

interface Given {
  readonly status?: number
  readonly headers?: Record<string, string | string[]>
  readonly body?: unknown
}

function answer({ status = 200, headers = {}, body = '' }: Given): StepResult {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const type = typeof body === 'string' ? {} : { 'content-type': 'application/json' }
  const given = { status, headers: { ...type, ...headers }, body: text, isCutOff: false }
  const shared = { name: 'x', expect: status, isCompared: true, isExpected: true }
  return { ...shared, capture: capture(given, new Normaliser(hub)) }
}

function fields(a: Given, b: Given): string[] {
  return compareSteps(answer(a), answer(b)).map(({ field }) => field)
}

void test('tokens, ids, times and addresses are no difference', () => {
  const one = { id: 'a1', token: 'x'.repeat(32), created: '2026-01-01T00:00:00.1Z' }
  const two = { id: 'a77', token: 'y'.repeat(32), created: '2027-01-01T00:00:00Z' }
  assert.deepEqual(fields({ body: one }, { body: two }), [])
  const url = (port: number) => ({ body: { target: `http://127.0.0.1:${port}/x` } })
  assert.deepEqual(fields(url(5000), url(6000)), [])
})

void test('a time that is missing, another type and a key more are differences', () => {
  assert.deepEqual(
    fields({ body: { created: '2026-01-01T00:00:00Z' } }, { body: { created: null } }),
    ['body /created'],
  )
  assert.deepEqual(fields({ body: { n: '1' } }, { body: { n: 1 } }), ['body /n'])
  assert.deepEqual(fields({ body: {} }, { body: { extra: 1 } }), ['body /extra'])
  assert.deepEqual(fields({ body: [1] }, { body: { 0: 1 } }), ['body '])
})

void test('two ids that are the same on one hub must be the same on the other', () => {
  const list = (first: string, second: string) => ({ body: [{ id: first }, { id: second }] })
  assert.deepEqual(fields(list('a1', 'a2'), list('a8', 'a9')), [])
  assert.deepEqual(fields(list('a1', 'a1'), list('a8', 'a9')), ['body /1/id'])
})

void test('the wording of an error is free but for what clients look for', () => {
  const message = (text: string | null) => ({ body: { message: text } })
  assert.deepEqual(fields(message('No such user'), message('There is none')), [])
  assert.deepEqual(fields(message(null), message('There is none')), ['body /message'])
  assert.deepEqual(
    fields(message('requires any of [a, b]'), message('this requires any of [b, a] here')),
    [],
  )
  assert.deepEqual(fields(message('requires any of [a]'), message('requires any of [b]')), [
    'body /message',
  ])
})

void test('status, headers that matter and flags of cookies are compared', () => {
  const cookie = (flags: string) => ({ headers: { 'set-cookie': [`n=v; Path=/hub/${flags}`] } })
  assert.deepEqual(fields({ status: 403 }, { status: 404 }), ['status'])
  assert.deepEqual(fields({ headers: { location: '/a' } }, { headers: { location: '/b' } }), [
    'header location',
  ])
  assert.deepEqual(fields({ headers: { date: 'x' } }, { headers: { date: 'y' } }), [])
  assert.deepEqual(fields(cookie('; HttpOnly'), cookie('')), ['cookie n on /hub/'])
  assert.deepEqual(fields(cookie('; Max-Age=3599'), cookie('; Max-Age=3600')), [])
})

void test('a page is its forms and the elements that scripts look for', () => {
  const html = `<form action="/x?a=1&amp;b=2" method="POST"><input type=hidden name='_xsrf' value="v">
    <input name="username"><script><input name="no"></script></form><a id="start" href="/hub/spawn">go</a>`
  const page = readPage(html, new Normaliser(hub))
  assert.deepEqual(page.forms[0]?.fields, ['_xsrf:hidden=<xsrf>', 'username:text'])
  assert.equal(page.forms[0]?.action, '/x?a=1&b=2')
  assert.deepEqual(page.elements, ['start → /hub/spawn'])
  assert.equal(fieldValue(html, '_xsrf'), 'v')
})

void test('a jar sends cookies to their paths, and forgets those that are cleared', () => {
  const jar = new CookieJar()
  jar.store(parseSetCookie('a=1; Path=/'))
  jar.store(parseSetCookie('b=2; Path=/hub/; HttpOnly'))
  assert.equal(jar.header('/hub/login?x=1'), 'b=2; a=1')
  assert.equal(jar.header('/hubris'), 'a=1')
  jar.store(parseSetCookie('b=; Path=/hub/; expires=Thu, 01 Jan 1970 00:00:00 GMT'))
  assert.equal(jar.header('/hub/login'), 'a=1')
})
