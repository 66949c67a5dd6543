import { boolean, fixedText, float, integer, nullable, oneOf, port, text } from '../codecs.ts'
import { command, jsonObject, mapOf, stringList } from '../codecs-lists.ts'
import type { Codec } from '../codec.ts'
import { byteSize, duration, publicUrl } from '../codecs-units.ts'
import { computed, defineOptions } from '../option.ts'
import { environmentValue } from './environment-value.ts'
import { altNames } from './jupyterhub-tls.ts'

/** What every spawner has. */
export const spawnerOptions = defineOptions({
  ip: { type: text, default: '127.0.0.1', summary: 'Address a server listens on.' },
  port: { type: port, default: 0, summary: 'Port a server listens on; 0 for a free one.' },
  cmd: {
    type: nullable(command),
    default: ['jupyterhub-singleuser'],
    summary: 'Command that runs a server.',
  },
  args: { type: stringList, default: [], summary: 'Further arguments of the command.' },
  environment: {
    type: mapOf(environmentValue),
    default: {},
    secret: true,
    summary: 'Environment variables for servers; they win over all others.',
  },
  env_keep: {
    type: stringList,
    default: ['JUPYTERHUB_SINGLEUSER_APP'],
    summary: "Variables of the hub's own environment that servers get as well.",
  },
  notebook_dir: {
    type: text,
    default: '',
    summary: 'Folder that a server shows as its root; {username} stands for the name.',
  },
  default_url: {
    type: text,
    default: '',
    summary: 'Page that a server opens with, such as /lab; {username} stands for the name.',
  },
  ssl_alt_names: {
    type: altNames,
    default: computed('JupyterHub.trusted_alt_names', (read) =>
      read('JupyterHub', 'trusted_alt_names'),
    ),
    summary: "Further names in a server's certificate, with internal_ssl.",
  },
  ssl_alt_names_include_local: {
    type: boolean,
    default: true,
    summary: "A server's certificate is for localhost as well, with internal_ssl.",
  },
  disable_user_config: {
    type: boolean,
    default: false,
    summary: "Servers ignore configuration in their user's home folder.",
  },
  debug: { type: boolean, default: false, summary: 'Servers log what they do in detail.' },
  start_timeout: {
    type: duration(),
    default: 60,
    as: 'startTimeoutMs',
    summary: 'Seconds until a start that has given no address counts as failed.',
  },
  http_timeout: {
    type: duration(),
    default: 30,
    as: 'httpTimeoutMs',
    summary: 'Seconds a started server has to answer HTTP.',
  },
  poll_interval: {
    type: duration({ min: -1 }),
    default: 30,
    as: 'pollIntervalMs',
    summary: 'Seconds between checks that a server still runs; 0 or less for none.',
  },
  poll_jitter: {
    type: float({ min: 0, max: 1 }),
    default: 0.1,
    summary: 'Part of poll_interval that is added or left out by chance.',
  },
  mem_limit: {
    type: nullable(byteSize),
    default: null,
    as: 'memLimitBytes',
    summary: "Most memory of a server, in bytes or like '2G'.",
  },
  mem_guarantee: {
    type: nullable(byteSize),
    default: null,
    as: 'memGuaranteeBytes',
    summary: "Memory that is kept for a server, in bytes or like '2G'.",
  },
  cpu_limit: {
    type: nullable(float({ min: 0 })),
    default: null,
    as: 'cpuLimitCores',
    summary: 'Most CPU cores of a server; fractions are fine.',
  },
  cpu_guarantee: {
    type: nullable(float({ min: 0 })),
    default: null,
    as: 'cpuGuaranteeCores',
    summary: 'CPU cores that are kept for a server.',
  },
  server_token_scopes: {
    type: stringList,
    default: [],
    summary: "Scopes of a server's own token; none stands for the role server.",
  },
  oauth_client_allowed_scopes: {
    type: stringList,
    default: [],
    summary: 'Scopes that the token of a visitor of a server may have.',
  },
  consecutive_failure_limit: {
    type: integer({ min: 0 }),
    default: 0,
    summary: 'Failed starts in a row after which the hub ends itself; 0 for never.',
  },
  hub_connect_url: {
    type: nullable(publicUrl),
    default: null,
    summary: 'URL of the hub for servers that cannot use the general one.',
  },
  options_form: {
    type: fixedText('the form'),
    default: '',
    summary: 'HTML of the fields people fill in before a start; empty for none.',
  },
  options_from_form: {
    type: oneOf('passthrough', 'simple'),
    default: 'passthrough',
    summary: 'How the fields become user options: as lists of texts, or simplified.',
  },
  options_from_query: {
    type: nullable(oneOf('passthrough', 'simple')),
    default: null,
    summary: 'How options in the query of the spawn page are read; None for as options_from_form.',
  },
})

/** Environment that local processes inherit. Source: contract config-options, LocalProcessSpawner. */
export const localProcessDefaults = {
  env_keep: [
    'CONDA_DEFAULT_ENV',
    'CONDA_ROOT',
    'JUPYTERHUB_SINGLEUSER_APP',
    'LANG',
    'LC_ALL',
    'LD_LIBRARY_PATH',
    'PATH',
    'PYTHONPATH',
    'VIRTUAL_ENV',
  ],
}

const ignoredObject: Codec<Readonly<Record<string, unknown>>> = {
  ...jsonObject,
  decode(value, context) {
    const given = jsonObject.decode(value, context)
    if (Object.keys(given).length > 0) context.warn('is not supported yet and was ignored.')
    return given
  },
}

export const localProcessSpawnerOptions = defineOptions({
  interrupt_timeout: {
    type: duration(),
    default: 30,
    as: 'interruptTimeoutMs',
    summary: 'Seconds between SIGINT and SIGTERM when a server is stopped.',
  },
  term_timeout: {
    type: duration(),
    default: 30,
    as: 'termTimeoutMs',
    summary: 'Seconds between SIGTERM and SIGKILL.',
  },
  kill_timeout: {
    type: duration(),
    default: 5,
    as: 'killTimeoutMs',
    summary: 'Seconds after SIGKILL until the hub gives up with a warning.',
  },
  shell_cmd: {
    type: command,
    default: [],
    summary: "Shell that runs the command, such as ['bash', '-l', '-c'].",
  },
  popen_kwargs: {
    type: ignoredObject,
    default: {},
    summary: 'Options of the process call of Python: has no effect here.',
  },
})

export const simpleLocalProcessSpawnerOptions = defineOptions({
  home_dir_template: {
    type: text,
    default: '/tmp/{username}',
    summary: 'Home folder of a user; {username} stands for the name.',
  },
  run_as: {
    type: text,
    default: '',
    summary:
      "System user that every server runs as; empty for the hub's own, or nobody when the hub is root.",
  },
})
