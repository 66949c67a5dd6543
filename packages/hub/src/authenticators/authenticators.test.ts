import { describe, expect, test } from 'vitest'
import { dummyAuthenticator } from './dummy/dummy-authenticator.ts'
import {
  type SharedPasswordOptions,
  sharedPasswordAuthenticator,
} from './shared-password/shared-password-authenticator.ts'

const passwords = { findPasswordHash: async () => undefined }
const signal = new AbortController().signal
const asked = (username: string, password: string) => ({
  username,
  password,
  fields: {},
  remoteAddress: '127.0.0.1',
})

test('dummy takes any password, or the one configured', async () => {
  const any = dummyAuthenticator.create({ options: { password: '' }, passwords })
  expect(await any.identify(asked('ada', 'x'), signal)).toEqual({ name: 'ada', admin: null })
  const one = dummyAuthenticator.create({ options: { password: 'secret' }, passwords })
  expect(await one.identify(asked('ada', 'x'), signal)).toBeNull()
  expect(await one.identify(asked('ada', 'secret'), signal)).not.toBeNull()
})

describe('shared password', () => {
  const options: SharedPasswordOptions = {
    userPassword: 'for everybody',
    adminPassword: 'a much longer password for admins',
    adminUsers: ['root'],
    passwordGroups: { 'for the class': ['class'] },
  }
  const { userPassword, adminPassword } = options

  test.each([
    ['ada', userPassword, { name: 'ada', admin: false, groups: [] }],
    ['ada', adminPassword, null],
    ['root', userPassword, null],
    ['ROOT', userPassword, null],
    ['root', adminPassword, { name: 'root', admin: true, groups: [] }],
    ['ada', 'for the class', { name: 'ada', admin: null, groups: ['class'] }],
    ['root', 'for the class', null],
    ['ada', '', null],
  ])('%s with %j', async (name, password, expected) => {
    const authenticator = sharedPasswordAuthenticator.create({ options, passwords })
    expect(await authenticator.identify(asked(name, password), signal)).toEqual(expected)
  })

  test('unset passwords let nobody in, short ones do not start', async () => {
    const make = (changes: Partial<SharedPasswordOptions>) =>
      sharedPasswordAuthenticator.create({ options: { ...options, ...changes }, passwords })
    const closed = make({ userPassword: '', adminPassword: '' })
    expect(await closed.identify(asked('ada', ''), signal)).toBeNull()
    expect(await closed.identify(asked('root', ''), signal)).toBeNull()
    expect(() => make({ userPassword: 'short' })).toThrow(/at least 8/)
    expect(() => make({ adminPassword: 'too short for it' })).toThrow(/at least 32/)
  })
})
