import { password } from '../hubs/principals.ts'
import { api, holds, prepare, scenario } from '../model.ts'
import { signIn, xsrf } from './sign-in.ts'

const as = 'admin'
const tokens = (owner: string) => `users/${owner}/tokens`

/** Source: contract rest-api §9.1, scopes-and-roles §12.3. */
export const tokenCases = [
  scenario('tokens: life of one', [
    prepare('POST users/tok'),
    api(`GET ${tokens('tok')}`, 200, { as, name: 'none yet' }),
    api(`POST ${tokens('tok')}`, 201, {
      as,
      body: {
        json: { note: 'mine', scopes: ['read:users!user', 'tokens!user', 'read:tokens!user'] },
      },
      save: { id: { json: 'id' }, value: { json: 'token' } },
    }),
    api(`GET ${tokens('tok')}/{{id}}`, 200, { as }),
    api(`GET ${tokens('tok')}`, 200, { as, name: 'one' }),
    api(`GET ${tokens('ana')}/{{id}}`, 404, { as, name: 'of another user' }),
    api(`GET ${tokens('tok')}/x{{id}}`, 404, { as, name: 'malformed id' }),
    api('GET user', 200, { headers: { Authorization: 'token {{value}}' } }),
    api('GET users/tok', 200, { name: 'with it', headers: { Authorization: 'token {{value}}' } }),
    api('POST users/tok/server', 403, { headers: { Authorization: 'Bearer {{value}}' } }),
    api('POST users/ana/tokens', 403, {
      headers: { Authorization: 'Bearer {{value}}' },
      name: 'for another user',
    }),
    api(`POST ${tokens('tok')}`, 201, {
      name: 'by itself',
      headers: { Authorization: 'Bearer {{value}}' },
      body: { json: {} },
      save: { second: { json: 'id' }, strong: { json: 'token' } },
    }),
    api('GET user', 200, { name: 'the second', headers: { Authorization: 'Bearer {{strong}}' } }),
    api(`DELETE ${tokens('tok')}/{{id}}`, 204, { as }),
    api(`DELETE ${tokens('tok')}/{{id}}`, 404, { as, name: 'twice' }),
    api('GET user', 403, { name: 'it is dead', headers: { Authorization: 'Bearer {{value}}' } }),
    api('DELETE users/tok', 204, { as }),
    api('GET user', 403, {
      name: 'dead with its user',
      headers: { Authorization: 'Bearer {{strong}}' },
    }),
  ]),
  scenario('tokens: by name and password', [
    prepare('POST users/tokpw'),
    ...(
      [
        ['right', { auth: { username: 'tokpw', password } }, 201],
        [
          'with a note and scopes',
          { auth: { username: 'tokpw', password }, note: 'n', scopes: [] },
          201,
        ],
        ['wrong', { auth: { username: 'tokpw', password: 'no' } }, 403],
        ['of another user', { auth: { username: 'ana', password } }, 403],
        ['user who is not there', { auth: { username: 'not-there', password } }, 403],
        ['without auth', {}, 403],
        ['auth is a text', { auth: 'tokpw' }, 403],
      ] as const
    ).map(([name, json, status]) =>
      api(`POST ${tokens('tokpw')}`, status, { name, body: { json } }),
    ),
    api(`POST ${tokens('tokpw')}`, 400, { name: 'not JSON', body: { raw: '{' } }),
    api('GET users/not-there', 404, { as, name: 'nobody was made' }),
  ]),
  scenario('tokens: from a page', [
    ...signIn('cy'),
    api(`POST ${tokens('cy')}`, 403, { jar: 'cy', name: 'without the token', body: { json: {} } }),
    api(`POST ${tokens('cy')}?_xsrf={{cookie cy _xsrf}}`, 201, {
      jar: 'cy',
      name: 'with it',
      body: { json: { note: 'page', expires_in: 3600, scopes: [] } },
      save: { id: { json: 'id' } },
    }),
    api(`DELETE ${tokens('cy')}/{{id}}`, 204, { jar: 'cy', headers: xsrf('cy') }),
  ]),
  scenario(
    'tokens: scopes against the owner',
    [
      ['cy', 'users'],
      ['cy', 'read:users:name!user'],
      ['cy', 'self'],
      ['ana', 'read:users!user=ana'],
      ['ana', 'read:users!user=bo'],
      ['ana', 'servers!server=ana/n1'],
      ['ana', 'servers!user=ana'],
      ['ana', 'list:users'],
      ['ana', 'access:services!service=external'],
      ['ana', 'access:services'],
      ['dave', 'custom:library:read'],
      ['dave', 'custom:library:write'],
      ['ana', 'custom:library:read'],
      ['cy', 'custom:library:read'],
      ['ana', 'inherit'],
      ['ana', 'tokens'],
      ['sharer', 'shares!user'],
      ['ana', 'shares!user'],
      ['ana', 'users!user'],
      ['ana', 'admin:server_state!user'],
    ].map(([owner = '', scope = '']) =>
      api(
        `POST ${tokens(owner)}`,
        [
          'cy users',
          'ana read:users!user=bo',
          'ana list:users',
          'ana access:services',
          'ana custom:library:read',
          'ana tokens',
          'ana shares!user',
          'ana admin:server_state!user',
          'ana users!user',
        ].includes(`${owner} ${scope}`)
          ? 400
          : 201,
        {
          as,
          name: `${owner} asks for ${scope}`,
          body: { json: { scopes: [scope] } },
        },
      ),
    ),
  ),
  scenario('tokens: old look-ups', [
    api('GET authorizations/token/token-of-ana-0123456789abcdef', 200, { as: 'boss' }),
    api('GET authorizations/token/token-of-ana-0123456789abcdef', 200, { as: 'ana' }),
    api('GET authorizations/token/token-of-ana-0123456789abcdef', 200, { as: 'no-scopes' }),
    api('GET authorizations/token/token-of-robot-0123456789abcdef', 200, { as: 'boss' }),
    api('GET authorizations/token/nonsense', 404, { as: 'boss' }),
    api('GET authorizations/token/token-of-ana-0123456789abcdef', 403),
    api('GET authorizations/token/token-of-ana-0123456789abcdef', 403, { as: 'stranger' }),
    api('POST authorizations/token', 404),
    api('POST authorizations/token', 404, { as: 'ana' }),
    api('GET authorizations/cookie/jupyterhub-hub-login/nonsense', 404, { as: 'boss' }),
    api('GET authorizations/cookie/jupyterhub-hub-login/nonsense', 403),
    ...signIn('cy'),
    api('GET authorizations/cookie/jupyterhub-hub-login/{{cookie cy jupyterhub-hub-login}}', 200, {
      as: 'boss',
      name: 'cookie of a user',
    }),
    api('GET authorizations/cookie/jupyterhub-hub-login', 200, {
      as: 'boss',
      name: 'cookie in the body',
      body: { raw: '{{cookie cy jupyterhub-hub-login}}' },
    }),
    api('GET authorizations/token/x', 403, { jar: 'cy', name: 'a cookie is not enough' }),
  ]),
  scenario('tokens: intersection', [
    api('GET users/ana', 200, { as: holds(['read:users!user'], 'ana') }),
    api('GET users', 403, { as: holds(['read:users!user'], 'ana') }),
    api('GET users/bo', 404, { as: holds(['read:users!user'], 'ana') }),
    api('GET users/ana/tokens', 403, { as: holds(['read:users!user'], 'ana') }),
    api('GET users?name_filter=ana', 200, { as: holds(['list:users!user=ana'], 'admin') }),
    api('GET groups/g1', 200, { as: holds(['read:groups!group=g1'], 'admin') }),
  ]),
]
