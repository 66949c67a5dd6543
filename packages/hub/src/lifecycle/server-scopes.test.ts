import { expect, test } from 'vitest'
import { serverTokenScopes } from './server-scopes.ts'

const server = { username: 'ada', name: 'lab' }
const roleScopes = ['users:activity!user', 'access:servers!server']

test.each([
  [[], ['access:servers!server=ada/lab', 'users:activity!user']],
  [
    ['read:servers!server', 'read:servers!server=bob/', 'list:groups'],
    [
      'list:groups',
      'read:servers!server=ada/lab',
      'read:servers!server=bob/',
      'users:activity!user',
    ],
  ],
  [['inherit'], ['inherit']],
  [['users:activity'], ['users:activity']],
  [['users:activity!user=ada'], ['users:activity!user', 'users:activity!user=ada']],
])('configured %j become %j', (configured, scopes) => {
  expect(serverTokenScopes({ configured, roleScopes, server })).toEqual(scopes)
})
