import { api, prepare, request, scenario, type Step } from '../model.ts'
import { signIn, xsrf } from './sign-in.ts'

const as = 'admin'
const setup = 'variant'
const envelope = { Accept: 'application/jupyterhub-pagination+json' }
const variant = (name: string, steps: readonly Step[]) =>
  scenario(`variant: ${name}`, steps, { setup })

/** The same hub under a base URL and with other settings. */
export const variantCases = [
  variant('paths', [
    api('GET ', 200),
    request('GET /', 404),
    request('GET /hub/api', 404),
    request('GET /hub/home?x=1', 404),
    request('GET /deep/lab', 302),
    request('GET /deep/lab/', 302),
    request('GET /deep/lab/hub', 301),
    request('GET hub/', 302),
    request('GET hub/home', 302),
    request('GET hub/nothing', 404),
    request('GET user/ana/lab?x=1', 302),
    request('GET services/nothing/', 302),
    request('GET /elsewhere?x=1', 404),
    request('GET hub/login', 200, { jar: 'a' }),
    request('GET hub/login?next=%2Fdeep%2Flab%2Fhub%2Ftoken', 200, { jar: 'a' }),
    request('GET hub/metrics', 200),
    request('GET hub/health', 200),
    api('OPTIONS users', 200),
    api('GET nothing', 404),
    api('GET info', 200, { as: 'ana' }),
    api('GET users', 403, { as: 'ana' }),
  ]),
  variant('sign-in', [
    ...signIn('eve'),
    request('GET hub/', 302, { jar: 'eve', name: 'home, not the server' }),
    request('GET hub/home', 200, { jar: 'eve' }),
    request('GET hub/login?next=https%3A%2F%2Fhub.example.org%2Fdeep%2Flab%2Fhub%2Ftoken', 302, {
      jar: 'eve',
    }),
    request('GET hub/login?next=%2F%2Fevil.example', 302, { jar: 'eve' }),
    request('GET hub/login?next=https%3A%2F%2Fhub.example.org%2F%2Fevil.example', 302, {
      jar: 'eve',
    }),
    request('GET hub/login?next={{origin}}%2Fdeep%2Flab%2Fhub%2Ftoken', 302, { jar: 'eve' }),
    request('GET hub/user-redirect/lab?x=1', 302, { jar: 'eve' }),
    request('GET hub/user/eve/lab', 503, { jar: 'eve', name: 'stopped server' }),
    request('GET hub/user/eve/api/x', 503, { jar: 'eve', name: 'stopped server, API' }),
    request('POST hub/user/eve/api/x', 503, {
      jar: 'eve',
      headers: xsrf('eve'),
      name: 'stopped server, POST',
    }),
    request('GET hub/spawn/eve/lab', 400, { jar: 'eve', name: 'named servers are off' }),
  ]),
  variant('pages of lists', [
    ...['va', 'vb', 'vc', 'vd', 've'].map((name) =>
      prepare(`POST users/${name}`, undefined, [409]),
    ),
    api('GET users?name_filter=v', 200, { as }),
    api('GET users?name_filter=v', 200, { as, name: 'paginated', headers: envelope }),
    api('GET users?name_filter=v&limit=100', 200, {
      as,
      name: 'above the limit',
      headers: envelope,
    }),
    api('GET groups', 200, { as, headers: envelope }),
  ]),
  variant('servers', [
    api('PUT users/va/servers/lab', 400, { as, name: 'named servers are off, PUT' }),
    api('POST users/va/servers/lab', 400, { as, name: 'named servers are off, POST' }),
    api('DELETE users/va/servers/lab', 400, { as, name: 'named servers are off, DELETE' }),
    api('PATCH users/va/server', 400, {
      as,
      name: 'named servers are off, PATCH',
      body: { json: { name: 'x' } },
    }),
    api('POST users/va/server', 201, { as }),
    api('GET users/va', 200, { as }),
    api('GET users/va/server/progress', 200, { as }),
    request('GET user/va/env', 200),
    api('POST users/vb/server', 201, { as, name: 'second' }),
    api('POST users/vc/server', 429, { as, name: 'one too many' }),
    api('GET proxy', 200, { as }),
    api('DELETE users/va/server', 204, { as }),
    api('DELETE users/vb/server', 204, { as, name: 'stop the second' }),
  ]),
  variant('a start that fails', [
    prepare('POST users/fail-a'),
    api('POST users/fail-a/server', 500, { as }),
    api('GET users/fail-a', 200, { as, name: 'afterwards' }),
    api('GET users/fail-a/server', 200, { as, name: 'server afterwards' }),
    api('GET users/fail-a/server/progress', 200, { as, name: 'progress afterwards' }),
    ...signIn('fail-a'),
    request('GET hub/spawn-pending/fail-a', 500, { jar: 'fail-a' }),
    request('GET hub/user/fail-a/lab', 303, { jar: 'fail-a' }),
    request('GET hub/user/fail-a/api/x', 503, { jar: 'fail-a' }),
    api('DELETE users/fail-a/server', 204, { as }),
    api('DELETE users/fail-a', 204, { as }),
  ]),
  variant('tokens', [
    api('POST users/va/tokens', 201, { as, name: 'no lifetime', body: { json: {} } }),
    api('POST users/va/tokens', 201, { as, name: 'short', body: { json: { expires_in: 60 } } }),
    api('POST users/va/tokens', 400, {
      as,
      name: 'too long',
      body: { json: { expires_in: 3601 } },
    }),
    api('POST users/va/tokens', 400, { as, name: 'zero', body: { json: { expires_in: 0 } } }),
    api('POST users/va/tokens', 201, { as, name: 'null', body: { json: { expires_in: null } } }),
    api('GET users/va/tokens', 200, { as }),
  ]),
  variant('shares', [
    prepare('POST users/va', undefined, [409]),
    prepare('POST users/vb', undefined, [409]),
    prepare('POST users/va/server', undefined, [400]),
    prepare('DELETE users/va/server'),
    api('POST share-codes/va/', 200, { as }),
    api('POST shares/va/', 200, { as, body: { json: { user: 'vb' } } }),
    api('GET shares/va', 200, { as }),
  ]),
  variant('logging out stops servers', [
    ...signIn('vd'),
    api('POST users/vd/server', 201, { jar: 'vd', headers: xsrf('vd') }),
    request('GET hub/logout', 302, { jar: 'vd' }),
    api('GET users/vd', 200, {
      as,
      name: 'stopped',
      until: { json: { path: 'server', equals: null } },
    }),
  ]),
  variant('shutdown', [
    api('POST shutdown', 403, { as: 'ana' }),
    api('POST shutdown', 202, { as, body: { json: { servers: true, proxy: true } } }),
  ]),
]
