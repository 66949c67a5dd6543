import { spawnerClass } from '../class-names.ts'
import { boolean, integer, oneOf, text } from '../codecs.ts'
import { jsonObject, mapOf, optional, rangeOf, struct } from '../codecs-lists.ts'
import { type Codec, ValueMismatch } from '../codec.ts'
import { duration } from '../codecs-units.ts'
import { computed, defineOptions } from '../option.ts'

const headerValue: Codec<string> = {
  ...text,
  decode(value, context) {
    const header = text.decode(typeof value === 'number' ? String(value) : value, context)
    // oxlint-disable-next-line no-control-regex -- control characters are what is refused
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(header)) throw new ValueMismatch('has control characters.')
    return header
  },
}

const slowTimeout = duration({ wholeSeconds: false, min: -1 })

/** The settings of JupyterHub's web framework that have a meaning here. */
const webSettings = struct(
  {
    slow_spawn_timeout: optional(slowTimeout),
    slow_stop_timeout: optional(slowTimeout),
    headers: optional(mapOf(headerValue)),
    cookie_options: optional(jsonObject),
    spawn_throttle_retry_range: optional(rangeOf(duration())),
    user_redirect_limit: optional(integer({ min: 1, max: 100 })),
    no_cache_static: optional(boolean),
    xsrf_cookie_kwargs: optional(jsonObject),
  },
  { unknown: 'warn' },
)

/** The data base, the pages and the limits on servers. */
export const serverOptions = defineOptions({
  db_url: {
    type: text,
    default: computed('sqlite:///orrery.sqlite in data_dir', (read) => {
      return `sqlite:///${String(read('Orrery', 'data_dir'))}/orrery.sqlite`
    }),
    summary:
      'Data base: sqlite:///file.sqlite or postgresql://user:password@host/name. Differs from JupyterHub: the file is in data_dir.',
    secret: true,
  },
  upgrade_db: {
    type: boolean,
    default: false,
    summary: 'Bring an older data base up to date at start, after a copy of an SQLite file.',
  },
  reset_db: { type: boolean, default: false, summary: 'Delete everything stored, at start.' },
  spawner_class: {
    type: spawnerClass,
    default: 'local-process',
    as: 'spawner',
    summary: 'How servers of users are started.',
  },
  redirect_to_server: {
    type: boolean,
    default: true,
    summary: 'Go to the own server after signing in, rather than to the home page.',
  },
  default_url: {
    type: text,
    default: '',
    summary: 'Where people go after signing in when nothing else was asked for.',
  },
  activity_resolution: {
    type: duration(),
    default: 30,
    as: 'activityResolutionMs',
    summary: 'Activity newer by fewer seconds than this is not written down.',
  },
  last_activity_interval: {
    type: duration(),
    default: 300,
    as: 'lastActivityIntervalMs',
    summary: 'Seconds between takeovers of activity that the proxy saw.',
  },
  api_page_default_limit: {
    type: integer({ min: 1 }),
    default: 50,
    summary: 'Entries in one page of a list when the request asks for no number.',
  },
  api_page_max_limit: {
    type: integer({ min: 1 }),
    default: 200,
    summary: 'Most entries in one page of a list.',
  },
  allow_named_servers: {
    type: boolean,
    default: false,
    summary: 'Users may have servers besides their default one.',
  },
  named_server_limit_per_user: {
    type: integer({ min: 0 }),
    default: 0,
    summary: 'Most named servers of one user, stopped ones included; 0 for no limit.',
  },
  default_server_name: {
    type: text,
    default: '',
    summary: 'Server that is meant when no name is given and named servers are allowed.',
  },
  allow_existing_invalid_named_servers: {
    type: oneOf('allow-start', 'allow-delete', 'autorename'),
    default: 'allow-start',
    summary:
      'What becomes of stored servers whose name breaks the rules of 6.0: they may start, may only be deleted, or get a valid name at start.',
  },
  concurrent_spawn_limit: {
    type: integer({ min: 0 }),
    default: 100,
    summary: 'Most servers that start at the same time; 0 for no limit.',
  },
  active_server_limit: {
    type: integer({ min: 0 }),
    default: 0,
    summary: 'Most servers active at the same time; 0 for no limit.',
  },
  spawn_throttle_retry_range: {
    type: rangeOf(duration()),
    default: [30, 60],
    as: 'spawnThrottleRetryRangeMs',
    summary: 'Range in seconds of the Retry-After of a start that was refused for now.',
  },
  cleanup_servers: {
    type: boolean,
    default: true,
    summary: 'Stop the servers of users when the hub is stopped.',
  },
  cleanup_proxy: {
    type: boolean,
    default: true,
    summary: 'Stop the proxy when the hub is stopped, if the hub started it.',
  },
  use_legacy_stopped_server_status_code: {
    type: boolean,
    default: false,
    summary: 'Answer requests to a stopped server with 503 rather than 424.',
  },
  implicit_spawn_seconds: {
    type: duration({ wholeSeconds: false }),
    default: 0,
    as: 'implicitSpawnMs',
    summary: 'Seconds until the page of a stopped server starts it by itself; 0 for never.',
  },
  init_spawners_timeout: {
    type: duration({ min: -1 }),
    default: 10,
    as: 'initSpawnersTimeoutMs',
    summary:
      'Seconds the start waits for servers that ran before; the rest is done later, negative waits for all.',
  },
  logo_file: {
    type: text,
    default: '',
    summary: "Image file shown as the hub's logo; Orrery's own when empty.",
  },
  template_vars: {
    type: mapOf(text),
    default: {},
    summary: 'Texts for pages: announcement, announcement_login, announcement_home and the like.',
  },
  tornado_settings: {
    type: webSettings,
    default: {},
    as: 'webSettings',
    summary:
      'Web settings: slow_spawn_timeout and slow_stop_timeout in seconds, headers, cookie_options, xsrf_cookie_kwargs, user_redirect_limit, no_cache_static.',
  },
})
