import { afterEach, beforeEach, expect, test } from 'vitest'
import type { User } from '../domain/records.ts'
import { setUserDisabled } from '../storage/disabled-users.ts'
import { secret, startTestProvider, type TestProvider } from './oauth-test-kit.ts'

let provider: TestProvider
let ada: User
let server: { id: number; client: string }
const redirectUri = '/user/ada/oauth_callback'

beforeEach(async () => {
  provider = await startTestProvider()
  ada = await provider.addUser('ada')
  server = await provider.addServer(ada)
})
afterEach(() => provider.close())

async function obtainCode(): Promise<string> {
  const request = { client_id: server.client, redirect_uri: redirectUri, response_type: 'code' }
  const answer = await (await provider.browser(ada)).authorize(request)
  return new URL(answer.headers.location ?? '', 'http://hub').searchParams.get('code') ?? ''
}

const exchange = (code: string) =>
  provider.token({
    client_id: server.client,
    client_secret: secret,
    grant_type: 'authorization_code',
    redirect_uri: redirectUri,
    code,
  })

const setDisabled = (disabled: boolean) =>
  provider.store.write((tx) => setUserDisabled(tx, ada.id, disabled))

test('codes and access tokens of a disabled user end for good', async () => {
  const unused = await obtainCode()
  const { access_token: token } = (await exchange(await obtainCode())).json<{
    access_token: string
  }>()
  expect((await provider.principals.findByToken(token))?.name).toBe('ada')
  await setDisabled(true)
  expect(await provider.principals.findByToken(token)).toBeUndefined()
  expect((await exchange(unused)).json()).toMatchObject({ error: 'invalid_grant' })
  await setDisabled(false)
  expect(await provider.principals.findByToken(token)).toBeUndefined()
})

test('a disabled user has to sign in, and gets no code', async () => {
  const browser = await provider.browser(ada)
  await setDisabled(true)
  const request = { client_id: server.client, redirect_uri: redirectUri, response_type: 'code' }
  const answer = await browser.authorize(request)
  expect(answer.headers.location).toMatch(/^\/hub\/login\?next=/)
})
