/** A difference that is meant to be. */
export interface Accepted {
  /** Of `scenario › step`; `*` stands for anything. */
  readonly cases: string
  /** Of the field, as in `body /message`; `*` stands for anything. */
  readonly field: string
  readonly reference?: string
  readonly other?: string
  readonly reason: string
  /** A number of the contract's defects, or the subject of the row in docs/reference/differences.md. */
  readonly source: string
}

const everywhere = '*'
const nothing = '(absent)'

/** Every answer, or a whole class of them. */
const general: readonly Accepted[] = [
  {
    cases: everywhere,
    field: 'body /message',
    reference: 'null',
    reason: 'an error without a text carries the reason phrase',
    source: 'D1',
  },
  {
    cases: everywhere,
    field: 'header cache-control',
    reference: nothing,
    other: 'no-store',
    reason: 'answers of the API are for nobody’s cache',
    source: 'differences: caches',
  },
  {
    cases: everywhere,
    field: 'body *last_activity',
    reference: '<time>',
    other: 'null',
    reason: 'the activity of requests is written once a second, not before the answer',
    source: 'differences: activity of requests',
  },
  {
    cases: everywhere,
    field: 'header etag',
    reference: 'present',
    other: nothing,
    reason: 'pages are made anew for every request; only answers of the API have an ETag',
    source: 'differences: ETag of pages',
  },
  {
    cases: everywhere,
    field: 'cookie jupyterhub-session-id on */',
    reference: 'HttpOnly, browser session',
    other: nothing,
    reason: 'a request with a token gets no session of a browser',
    source: 'differences: session cookie',
  },
]

/** Of users that only the configuration knows. */
const roleUser = {
  reason:
    'users that the configuration names hold the role user at once, not after their first sign-in',
  source: 'differences: role user of configured users',
}
const ofDave = { ...roleUser, cases: 'scopes: a user on its own › *as dave' }

/** A wrong shape that the reference does not survive, or takes for something else. */
const shapes: readonly Accepted[] = [
  ['matrix: POST users › body: number as name', 'D4'],
  ['matrix: PATCH users/mx-patch › body: groups', 'D5'],
  ['matrix: PATCH users/mx-patch › body: roles', 'D5'],
  ['matrix: DELETE users/sv-delete/server › body: list', 'D9'],
  ['matrix: PATCH users/sv-patch/servers/lab › body: list', 'D10'],
  ['matrix: PATCH users/sv-patch/servers/lab › body: unknown key', 'D10'],
  ['matrix: POST shutdown › body: servers is a list', 'differences: shutdown with a list'],
  ['matrix: POST services/se-post › body: unknown scope', 'D16'],
  ['matrix: POST services/se-post › body: short token', 'D16'],
  ['matrix: POST shares/sh-post/lab › body: unknown scope', 'D17'],
  ['matrix: POST shares/sh-post/lab › body: list', 'D17'],
].flatMap(([cases = '', source = '']) =>
  ['status', 'body /status'].map((field) => ({
    cases,
    field,
    reference: '500',
    other: '400',
    reason: 'a body of a wrong shape is 400, never 500',
    source,
  })),
)

/** What a model says of something that was never set. */
const unset: readonly Accepted[] = [
  ...['body *user_options', 'body *state'].map((field) => ({
    cases: everywhere,
    field,
    reference: 'null',
    other: '{}',
    reason:
      'options and state that were never set are an empty object, however the server was looked at',
    source: 'differences: options and state never set',
  })),
  ...['body /url', 'body /info', 'body /display'].map((field) => ({
    cases: '*as boss',
    field,
    reference: 'null',
    reason: 'a service sees itself as others see it',
    source: 'differences: a service about itself',
  })),
  {
    cases: '*proxy*',
    field: 'body *data/last_activity',
    reference: '<time>',
    other: nothing,
    reason: 'a route that was never used has no activity',
    source: 'differences: activity of routes',
  },
  {
    cases: '*GET hub/*metrics*',
    field: 'header content-type',
    reference: 'text/plain; version=1.0.0; charset=utf-8',
    other: 'text/plain; version=0.0.4; charset=utf-8',
    reason: 'the text format has the version that scrapers of every age read',
    source: 'differences: format of metrics',
  },
]

const answers: readonly Accepted[] = [
  ...unset,
  { ...ofDave, field: 'body /*' },
  { ...ofDave, field: 'status', reference: '403', other: '404' },
  {
    cases: 'matrix: POST users › body: text for a list',
    field: 'body /message',
    reason: 'a text is not taken for a list of its characters',
    source: 'D4',
  },
  {
    cases: 'matrix: POST groups › body: text for a list',
    field: '*',
    reason: 'a text is not taken for a list of its characters',
    source: 'D4',
  },
  {
    cases: 'matrix: PATCH users/mx-patch › body: auth state',
    field: 'body /admin',
    reason: 'the user that lost its name there was made anew, without admin rights',
    source: 'D6',
  },
  {
    cases: 'matrix: PATCH users/mx-patch › body: auth state',
    field: 'body /roles',
    reason: 'the user that lost its name there was made anew, without admin rights',
    source: 'D6',
  },
  {
    cases: 'matrix: PATCH users/mx-patch › body: own name',
    field: 'body /name',
    reference: 'null',
    reason: 'a user keeps its name when it is given the same',
    source: 'D6',
  },
  {
    cases: 'users: rename › *',
    field: 'body /servers/lab/url',
    reason: 'addresses follow the new name of a user',
    source: 'D6',
  },
  {
    cases: 'lists: pages › GET groups*',
    field: 'body /_pagination/total',
    reason: 'only groups that the caller sees are counted',
    source: 'D2',
  },
  {
    cases: 'servers: a start that is cancelled › progress',
    field: 'body *',
    reason: 'a cancelled start ends its progress as failed, not as ready',
    source: 'D13',
  },
  {
    cases: '*lifetime zero',
    field: '*',
    reason: 'a lifetime of 0 means the longest that is allowed, as null does',
    source: 'D14',
  },
  {
    cases: 'variant: tokens › zero',
    field: '*',
    reason: 'a lifetime of 0 means the longest that is allowed, as null does',
    source: 'D14',
  },
  {
    cases: 'variant: tokens › *',
    field: 'body /api_tokens/*',
    reason: 'the token with a lifetime of 0 is there',
    source: 'D14',
  },
  {
    cases: 'variant: tokens › null',
    field: 'body /*',
    reason: 'the token with a lifetime of 0 came before it',
    source: 'D14',
  },
  {
    cases: 'matrix: POST users/tk-make/tokens › body: *',
    field: 'body /*',
    reference: '<token*',
    reason: 'the token with a lifetime of 0 came before it',
    source: 'D14',
  },
  {
    cases: 'matrix: POST services/se-post › body: admin',
    field: '*',
    reason: 'admin:services alone cannot make a service that is an administrator',
    source: 'differences: services with admin rights',
  },
  {
    cases: '*info*',
    field: 'body /*/class',
    reason: 'Orrery’s classes are its own',
    source: 'differences: names of classes',
  },
  ...['dave', 'eve'].flatMap((name) => [
    { ...roleUser, cases: `identity: whoami › *as ${name}`, field: 'body *', reference: nothing },
    {
      ...roleUser,
      cases: `identity: whoami › *as ${name}`,
      field: 'body /scopes',
      reference: 'only []',
    },
  ]),
  {
    ...roleUser,
    cases: 'identity: whoami › *as sharer',
    field: 'body /roles',
    reference: 'only []',
    other: 'only ["user"]',
  },
  {
    cases: 'variant: pages of lists › *',
    field: 'body */roles',
    reference: 'only []',
    ...roleUser,
  },
  {
    cases: 'tokens: scopes against the owner › dave asks for *',
    field: 'body /scopes',
    reference: 'only []',
    ...roleUser,
  },
  {
    cases: '*include_stopped_servers*',
    field: 'body *servers/',
    other: nothing,
    reason: 'a default server that never ran has no row',
    source: 'differences: default servers that never ran',
  },
  {
    cases: 'lists: pages › behind a proxy with TLS',
    field: 'body /_pagination/next/url',
    reason: 'X-Forwarded-Proto of a trusted proxy in front is believed',
    source: 'differences: forwarded headers',
  },
  {
    cases: 'XSRF: content types of a browser › multipart/form-data; boundary=x',
    field: '*',
    reason: 'whether the cookie counts is decided before the body is read',
    source: 'differences: broken multipart bodies',
  },
]

const pages: readonly Accepted[] = [
  {
    cases: 'login: form › GET hub/login?next=https%3A%2F%2Fevil.example',
    field: 'body /forms/0/action',
    reason: 'an address that would be refused is not put into the form',
    source: 'differences: next addresses',
  },
  {
    cases: 'login: next › next /a b',
    field: 'header location',
    other: '/a%20b',
    reason: 'a space in an address is encoded',
    source: 'differences: next addresses',
  },
  {
    cases: '*POST*',
    field: 'cookie _xsrf on /hub/',
    reference: '60 min',
    other: nothing,
    reason: 'an error page outside the hub’s paths does not replace the XSRF cookie',
    source: 'differences: `_xsrf` cookie with an error page outside `/hub/`',
  },
  {
    cases: 'servers: a user of its own › with a token that may not',
    field: 'body ',
    reference: '',
    reason: 'the error page of a service’s token is not empty',
    source: 'differences: error pages for tokens of services',
  },
  {
    cases: '*',
    field: 'body /forms/*',
    reference: nothing,
    other: '{*"_xsrf:hidden=<xsrf>"*',
    reason: 'pages work without scripts, by forms of their own',
    source: 'differences: pages without scripts',
  },
  {
    cases: 'pages: administrator › GET hub/admin',
    field: 'body /forms/*',
    reference: nothing,
    reason: 'pages work without scripts, by forms of their own',
    source: 'differences: pages without scripts',
  },
  {
    cases: 'OAuth: *',
    field: 'body /forms/0/fields',
    reference: 'only ["raw-scopes:checkbox"]',
    other: 'only []',
    reason: 'the confirmation page has no switch for raw scopes',
    source: 'differences: confirmation page',
  },
  {
    cases: 'servers: a user of its own › GET hub/home',
    field: 'body /elements',
    reason: 'the address of a server ends with a slash',
    source: 'differences: addresses on the home page',
  },
  {
    cases: 'pages: signed in › GET hub/user-redirect/*',
    field: 'header location',
    reason: 'the path goes on as it was typed, blank parameters included',
    source: 'differences: user-redirect',
  },
  {
    cases: 'login: form › no password',
    field: '*',
    reason: 'a form without a password is a failed sign-in, never 500',
    source: 'differences: sign-in without a password',
  },
  {
    cases: 'XSRF: where the token may be › without the cookie',
    field: 'cookie _xsrf on /hub/',
    reason: 'only pages set the XSRF cookie',
    source: 'differences: XSRF cookie',
  },
  {
    cases: '*GET favicon.ico',
    field: 'header content-type',
    reason: 'the icon is a drawing of our own',
    source: 'differences: icon',
  },
  {
    cases: '*GET robots.txt',
    field: 'header *',
    reason: 'a file that is not there gets the same headers as every other page',
    source: 'differences: missing files',
  },
  {
    cases: 'variant: paths › GET /*',
    field: '*',
    reference: '*404*',
    reason: 'what lies outside the base URL goes to the hub',
    source: 'differences: outside the base URL',
  },
  {
    cases: 'variant: paths › GET /*',
    field: '*',
    reference: '{"forms":[],"elements":[]}',
    other: '',
    reason: 'what lies outside the base URL goes to the hub',
    source: 'differences: outside the base URL',
  },
  {
    cases: 'variant: paths › GET /*',
    field: 'header *',
    reference: nothing,
    reason: 'what lies outside the base URL goes to the hub',
    source: 'differences: outside the base URL',
  },
]

/** Every entry must match something on each whole run; one that no longer does is an error. */
export const accepted: readonly Accepted[] = [...general, ...shapes, ...answers, ...pages]
