import { api, prepare, scenario } from '../model.ts'

const as = 'admin'
const envelope = { Accept: 'application/jupyterhub-pagination+json' }
const page = (line: string, status = 200) =>
  api(line, status, { as, headers: envelope, name: `${line}, paginated` })
const all = 'name_filter=li-'

/** Pages, order and filters. Source: contract rest-api §5 and §7.3. */
export const listCases = [
  scenario('lists: pages', [
    ...['d', 'b', 'e', 'a', 'c'].map((name) => prepare(`POST users/li-${name}`, undefined, [409])),
    api(`GET users?${all}`, 200, { as }),
    page(`GET users?${all}`),
    page(`GET users?${all}&limit=2`),
    page(`GET users?${all}&limit=2&offset=2`),
    page(`GET users?limit=2&offset=4&${all}`),
    page(`GET users?${all}&offset=9`),
    page(`GET users?${all}&limit=0`),
    page(`GET users?${all}&limit=-2`),
    page(`GET users?${all}&offset=-1`),
    page(`GET users?${all}&limit=1000`),
    page(`GET users?${all}&limit=x`, 400),
    page(`GET users?${all}&limit=1.5`, 400),
    page(`GET users?${all}&limit=`, 400),
    page(`GET users?${all}&offset=`, 400),
    page(`GET users?${all}&limit=2&other=a%20b&blank=`),
    page(`GET users?${all}&limit=2&limit=3`),
    api(`GET users?${all}&limit=2`, 200, { as, name: 'limit without the header' }),
    api(`GET users?${all}&limit=2`, 200, {
      as,
      name: 'header among others',
      headers: { Accept: 'text/html, Application/JupyterHub-Pagination+JSON' },
    }),
    api(`GET users?${all}&limit=2`, 200, {
      as,
      name: 'header with a parameter',
      headers: { Accept: 'application/jupyterhub-pagination+json;q=1' },
    }),
    api(`GET users?${all}&limit=2`, 200, {
      as,
      name: 'behind a proxy with TLS',
      headers: { ...envelope, 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'x.example' },
    }),
    page('GET groups?limit=1'),
    page('GET groups?limit=1&offset=1'),
    page('GET groups?limit=x', 400),
    api('GET groups?limit=1', 200, { as, name: 'groups without the header' }),
    page('GET proxy'),
    page('GET proxy?limit=1'),
    api('GET proxy', 200, { as }),
    page('GET services'),
    page('GET users/li-a/tokens'),
  ]),
  scenario('lists: order', [
    page(`GET users?${all}&sort=name`),
    page(`GET users?${all}&sort=-name`),
    page(`GET users?${all}&sort=id`),
    page(`GET users?${all}&sort=-id`),
    prepare('POST users/li-b/activity', { last_activity: '2021-01-01T00:00:00Z' }),
    prepare('POST users/li-d/activity', { last_activity: '2022-01-01T00:00:00Z' }),
    page(`GET users?${all}&sort=last_activity`),
    page(`GET users?${all}&sort=-last_activity`),
    page(`GET users?${all}&sort=`, 400),
    page(`GET users?${all}&sort=--id`, 400),
    page(`GET users?${all}&sort=created`, 400),
  ]),
  scenario('lists: filters', [
    prepare('PUT users/li-a/servers/lab', undefined, [409]),
    prepare('POST users/li-b/server', undefined, [400]),
    page(`GET users?${all}&state=active`),
    page(`GET users?${all}&state=ready`),
    page(`GET users?${all}&state=inactive`),
    page(`GET users?${all}&state=`),
    page(`GET users?${all}&state=tired`, 400),
    page(`GET users?${all}&include_stopped_servers`),
    page(`GET users?${all}&include_stopped_servers=false`),
    page('GET users?name_filter=LI-A'),
    page('GET users?name_filter=li_a'),
    page('GET users?name_filter=li%25c'),
    page('GET users?name_filter=%20li-a%20'),
    page('GET users?name_filter=nothing-like-it'),
    prepare('DELETE users/li-b/server'),
  ]),
]
