import { expect, test } from 'vitest'
import { warningsOf } from './configured-roles.ts'

test('a role without scopes is told of, a default role that only gets members is not', () => {
  const entries = [
    { name: 'empty' },
    { name: 'none', scopes: [] },
    { name: 'reader', scopes: ['read:users'] },
    { name: 'admin', users: ['ada'] },
  ]
  expect(warningsOf({ entries, extraUserScopes: [] })).toEqual([
    expect.stringContaining("'empty'"),
    expect.stringContaining("'none'"),
  ])
})

test('extra scopes of users are told of where the role user is written out', () => {
  const extraUserScopes = ['list:users']
  const entries = [{ name: 'user', scopes: ['self'] }]
  expect(warningsOf({ entries, extraUserScopes })).toEqual([
    expect.stringContaining('extra_user_scopes has no effect'),
  ])
  expect(warningsOf({ entries: [{ name: 'user' }], extraUserScopes })).toEqual([])
})
