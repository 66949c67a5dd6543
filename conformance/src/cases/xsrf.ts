import { api, request, type RequestStep, scenario } from '../model.ts'
import { signIn, xsrf } from './sign-in.ts'

const modes: readonly (readonly [mode: string, site: string, get: number, post: number])[] = [
  ['', '', 200, 403],
  ['navigate', 'same-origin', 200, 403],
  ['cors', 'same-origin', 403, 403],
  ['same-origin', 'same-origin', 403, 403],
  ['no-cors', 'same-origin', 200, 403],
  ['no-cors', 'same-site', 403, 403],
  ['no-cors', 'cross-site', 403, 403],
  ['websocket', 'same-origin', 200, 200],
]

/** The table of contract rest-api §2.3, each line with and without the token. */
function fetchModes(): RequestStep[] {
  return modes.flatMap(([mode, site, get, post]) => {
    const headers = mode === '' ? {} : { 'Sec-Fetch-Mode': mode, 'Sec-Fetch-Site': site }
    const name = mode === '' ? 'no mode' : `${mode}, ${site}`
    const body = { json: { last_activity: '2020-01-01T00:00:00Z' } }
    const path = 'users/eve/activity'
    return [
      api('GET users/eve', get, { name: `GET, ${name}`, jar: 'eve', headers }),
      api(`POST ${path}`, post, { name: `POST, ${name}`, jar: 'eve', headers, body }),
      api('GET users/eve', 200, {
        name: `GET with the token, ${name}`,
        jar: 'eve',
        headers: { ...headers, ...xsrf('eve') },
      }),
      api(`POST ${path}`, 200, {
        name: `POST with the token, ${name}`,
        jar: 'eve',
        headers: { ...headers, ...xsrf('eve') },
        body,
      }),
    ]
  })
}

const activity = { json: { last_activity: '2020-01-01T00:00:00Z' } }

export const xsrfCases = [
  scenario('XSRF: Sec-Fetch-Mode', [...signIn('eve'), ...fetchModes()]),
  scenario('XSRF: where the token may be', [
    ...signIn('eve'),
    api('POST users/eve/activity?_xsrf={{cookie eve _xsrf}}', 200, {
      name: 'in the query',
      jar: 'eve',
      body: activity,
    }),
    api('POST users/eve/activity', 200, {
      name: 'X-CSRFToken',
      jar: 'eve',
      headers: { 'X-CSRFToken': '{{cookie eve _xsrf}}' },
      body: activity,
    }),
    api('POST users/eve/activity', 403, {
      name: 'another value',
      jar: 'eve',
      headers: { 'X-XSRFToken': 'x{{cookie eve _xsrf}}' },
      body: activity,
    }),
    api('POST users/eve/activity', 403, {
      name: 'without the cookie',
      headers: {
        Cookie: 'jupyterhub-hub-login={{cookie eve jupyterhub-hub-login}}',
        ...xsrf('eve'),
      },
      body: activity,
    }),
    api('DELETE users/eve/server', 403, { jar: 'eve' }),
    api('PATCH users/eve', 403, { jar: 'eve', body: { json: {} } }),
    api('PUT users/eve/servers/x', 403, { jar: 'eve' }),
    api('PUT user', 403, { name: 'method that is not there', jar: 'eve' }),
  ]),
  scenario('XSRF: content types of a browser', [
    ...signIn('eve'),
    ...[
      ['application/json', 200],
      ['application/json; charset=utf-8', 200],
      ['text/plain', 403],
      ['application/x-www-form-urlencoded', 403],
      ['text/plain; application/json', 200],
      ['multipart/form-data; boundary=x', 400],
    ].map(([type, status]) =>
      api('POST users/eve/activity', Number(status), {
        name: String(type),
        jar: 'eve',
        headers: xsrf('eve'),
        body: { raw: JSON.stringify(activity.json), type: String(type) },
      }),
    ),
    api('POST users/eve/activity', 200, {
      name: 'none',
      jar: 'eve',
      headers: xsrf('eve'),
      body: { raw: JSON.stringify(activity.json) },
    }),
  ]),
  scenario('XSRF: sessions', [
    ...signIn('eve', 'first'),
    ...signIn('eve', 'second'),
    api('POST users/eve/activity', 403, {
      name: 'token of another session',
      jar: 'first',
      headers: { 'X-XSRFToken': '{{cookie second _xsrf}}' },
      body: activity,
    }),
    api('GET user', 200, { name: 'a token wins over the cookie', jar: 'first', as: 'ana' }),
    api('GET user', 200, { name: 'a bad token falls back', jar: 'first', as: 'stranger' }),
    api('POST users/eve/activity', 403, {
      name: 'a bad token is no exemption',
      jar: 'first',
      as: 'stranger',
      body: activity,
    }),
    api('GET user', 200, {
      name: 'a cookie without a session gets one',
      headers: { Cookie: 'jupyterhub-hub-login={{cookie first jupyterhub-hub-login}}' },
    }),
    request('GET hub/logout', 302, { jar: 'first' }),
    api('GET user', 403, { name: 'after logging out', jar: 'first' }),
    api('GET user', 200, { name: 'the other session stays', jar: 'second' }),
  ]),
]
