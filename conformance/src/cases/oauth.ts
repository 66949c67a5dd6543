import { createHash } from 'node:crypto'
import { request, type RequestStep, scenario } from '../model.ts'
import { signIn } from './sign-in.ts'

const external = {
  id: 'service-external',
  secret: 'token-of-external-0123456789abcdef',
  uri: '/services/external/oauth_callback',
}
const trusted = {
  id: 'service-trusted-app',
  secret: 'token-of-trusted-0123456789abcdef',
  uri: 'http://127.0.0.1:9/callback',
}
const verifier = 'a-verifier-that-is-long-enough-for-anybody-to-like'
const challenge = createHash('sha256').update(verifier).digest('base64url')

type Query = Readonly<Record<string, string | undefined>>

function authorize(query: Query, client = external): string {
  const all: Query = {
    client_id: client.id,
    redirect_uri: client.uri,
    response_type: 'code',
    state: 'st4te',
    ...query,
  }
  const given = Object.entries(all).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return `hub/api/oauth2/authorize?${new URLSearchParams(given).toString()}`
}

function exchange(
  name: string,
  status: number,
  fields: Readonly<Record<string, string | undefined>> = {},
  client = external,
  headers: Readonly<Record<string, string>> = {},
): RequestStep {
  const all: Query = {
    grant_type: 'authorization_code',
    client_id: client.id,
    client_secret: client.secret,
    redirect_uri: client.uri,
    code: '{{code}}',
    ...fields,
  }
  const form = Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  return request('POST hub/api/oauth2/token', status, {
    name,
    headers,
    body: { form },
    save: { access: { json: 'access_token' } },
  })
}

const code = { code: { locationQuery: 'code' } }
const consent = (jar: string, scopes: readonly string[]) => ({
  jar,
  body: { form: { scopes, _xsrf: `{{cookie ${jar} _xsrf}}` } },
})

/** Source: contract rest-api §11, single-user-and-services §5. */
export const oauthCases = [
  scenario('OAuth: what is refused', [
    request(`GET ${authorize({})}`, 302, { name: 'not signed in' }),
    request(`GET ${authorize({})}`, 302, { name: 'a token is no sign-in', as: 'ana' }),
    ...signIn('ana'),
    ...(
      [
        ['no client', { client_id: undefined }, 400],
        ['unknown client', { client_id: 'service-nothing' }, 400],
        ["the hub's own client", { client_id: 'jupyterhub' }, 400],
        ['another redirect', { redirect_uri: '/services/external/other' }, 400],
        ['redirect to another host', { redirect_uri: 'https://evil.example/oauth_callback' }, 400],
        ['redirect that is no address', { redirect_uri: 'nonsense' }, 400],
        ['no response type', { response_type: undefined }, 302],
        ['another response type', { response_type: 'token' }, 302],
        ['scope that is not there', { scope: 'no:such' }, 302],
        ['scope beyond the client', { scope: 'admin:users' }, 302],
        [
          'challenge method that is not there',
          { code_challenge: 'x', code_challenge_method: 'S512' },
          302,
        ],
      ] as const
    ).map(([name, query, status]) =>
      request(`GET ${authorize(query)}`, status, { name, jar: 'ana' }),
    ),
    request(`GET ${authorize({})}&state=twice`, 400, { name: 'state twice', jar: 'ana' }),
    request(`GET ${authorize({})}&scope=a&scope=b`, 400, { name: 'scope twice', jar: 'ana' }),
    request(`HEAD ${authorize({})}`, 405, { name: 'HEAD', jar: 'ana' }),
    request(`POST ${authorize({})}`, 403, {
      name: 'confirm without the token',
      jar: 'ana',
      body: { form: {} },
    }),
    ...signIn('cy'),
    request(`GET ${authorize({})}`, 403, { name: 'a user without access', jar: 'cy' }),
  ]),
  scenario('OAuth: confirmation and token', [
    ...signIn('ana'),
    request(`GET ${authorize({})}`, 200, { name: 'confirmation page', jar: 'ana' }),
    request(`GET ${authorize({ scope: 'read:users:name!user' })}`, 200, {
      name: 'asks for less',
      jar: 'ana',
    }),
    request(`GET ${authorize({ redirect_uri: undefined })}`, 200, {
      name: 'no redirect',
      jar: 'ana',
    }),
    request(`POST ${authorize({})}`, 302, {
      name: 'confirm',
      ...consent('ana', [
        'read:users!user',
        'read:users:name!user',
        'read:users:groups!user',
        'access:services!service=external',
      ]),
      save: code,
    }),
    exchange('another secret', 401, { client_secret: 'nonsense' }),
    exchange('no secret', 401, { client_secret: undefined }),
    exchange('another client', 400, {
      client_id: trusted.id,
      client_secret: trusted.secret,
      redirect_uri: trusted.uri,
    }),
    exchange('unknown client', 401, { client_id: 'service-nothing' }),
    exchange('no client', 401, { client_id: undefined }),
    exchange('another redirect', 400, { redirect_uri: '/other' }),
    exchange('no code', 400, { code: undefined }),
    exchange('unknown code', 400, { code: 'nonsense' }),
    exchange('another grant', 400, { grant_type: 'password' }),
    exchange('refresh', 400, { grant_type: 'refresh_token', refresh_token: 'x' }),
    exchange('no grant', 400, { grant_type: undefined }),
    request('GET hub/api/oauth2/token', 405),
    exchange('token', 200),
    request('GET hub/api/user', 200, {
      name: 'whose token that is',
      headers: { Authorization: 'Bearer {{access}}' },
    }),
    request('GET hub/api/users/ana/tokens', 200, {
      name: 'it is listed',
      as: 'admin',
      background: 'list',
    }),
    exchange('code used twice', 400),
    request(`GET ${authorize({})}`, 302, {
      name: 'no second confirmation',
      jar: 'ana',
      save: code,
    }),
    exchange('second token', 200),
    request('GET hub/token', 200, { jar: 'ana', name: 'token page' }),
    request('GET hub/logout', 302, { jar: 'ana' }),
    request('GET hub/api/user', 403, {
      name: 'logging out ends it',
      headers: { Authorization: 'Bearer {{access}}' },
    }),
  ]),
  scenario('OAuth: less than was asked for', [
    ...signIn('eve'),
    request(`GET ${authorize({})}`, 200, { name: 'confirmation page', jar: 'eve' }),
    request(`POST ${authorize({})}`, 302, { name: 'nothing', ...consent('eve', []), save: code }),
    exchange('token', 200),
    request('GET hub/api/user', 200, { headers: { Authorization: 'Bearer {{access}}' } }),
    request(`POST ${authorize({})}`, 302, { name: 'too much', ...consent('eve', ['admin:users']) }),
    request(`POST ${authorize({})}`, 302, { name: 'nonsense', ...consent('eve', ['no:such']) }),
  ]),
  scenario('OAuth: PKCE', [
    ...signIn('eve'),
    request(
      `POST ${authorize({ code_challenge: challenge, code_challenge_method: 'S256' })}`,
      302,
      {
        name: 'S256',
        ...consent('eve', []),
        save: code,
      },
    ),
    exchange('no verifier', 400),
    exchange('another verifier', 400, { code_verifier: verifier.toUpperCase() }),
    exchange('right verifier', 200, { code_verifier: verifier }),
    request(`POST ${authorize({ code_challenge: verifier })}`, 302, {
      name: 'plain',
      ...consent('eve', []),
      save: code,
    }),
    exchange('right verifier, plain', 200, { code_verifier: verifier }),
    request(`POST ${authorize({})}`, 302, {
      name: 'no challenge',
      ...consent('eve', []),
      save: code,
    }),
    exchange('verifier without a challenge', 200, { code_verifier: verifier }),
  ]),
  scenario('OAuth: a client that is trusted', [
    ...signIn('admin', 'root'),
    request(`GET ${authorize({ state: undefined }, trusted)}`, 302, {
      name: 'code at once',
      jar: 'root',
      save: code,
    }),
    exchange('with an Origin', 403, {}, trusted, { Origin: 'https://evil.example' }),
    exchange('token', 200, {}, trusted),
    ...signIn('eve'),
    request(`GET ${authorize({}, trusted)}`, 403, { name: 'a user without access', jar: 'eve' }),
  ]),
]
