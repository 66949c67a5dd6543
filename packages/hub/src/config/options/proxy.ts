import { boolean, oneOf, text } from '../codecs.ts'
import { command, mapOf } from '../codecs-lists.ts'
import { duration, proxyApiUrl, publicUrl } from '../codecs-units.ts'
import { computed, defineOptions } from '../option.ts'

export const proxyOptions = defineOptions({
  should_start: {
    type: boolean,
    default: true,
    summary: 'The hub starts and stops the proxy; otherwise it runs by itself.',
  },
  extra_routes: {
    type: mapOf(publicUrl),
    default: {},
    summary:
      'Further routes of the proxy and their targets; with subdomain_host they begin with a host name, else with a slash.',
  },
})

export const configurableHttpProxyOptions = defineOptions({
  auth_token: {
    type: text,
    default: '',
    secret: true,
    summary: "Secret shared with the proxy's API; made anew at every start when empty.",
  },
  api_url: {
    type: proxyApiUrl,
    default: computed('port 8001 of this machine, by HTTPS with internal_ssl', (read) =>
      read('JupyterHub', 'internal_ssl') === true
        ? 'https://127.0.0.1:8001'
        : 'http://127.0.0.1:8001',
    ),
    summary:
      "Where the proxy's API listens: a URL, or a Unix socket such as http+unix://%2Frun%2Forrery-api.sock.",
  },
  check_running_interval: {
    type: duration(),
    default: 5,
    as: 'checkRunningIntervalMs',
    summary: 'Seconds between checks that the proxy runs; it is started again when it does not.',
  },
  command: {
    type: command,
    default: ['configurable-http-proxy'],
    summary: "Command that starts configurable-http-proxy; Orrery's own edge needs none.",
  },
  debug: { type: boolean, default: false, summary: 'The proxy logs what it does in detail.' },
  log_level: {
    type: oneOf('debug', 'info', 'warn', 'error'),
    default: computed("'info', or 'debug' with debug", (read) =>
      read('ConfigurableHTTPProxy', 'debug') === true ? 'debug' : 'info',
    ),
    summary: 'Least severe messages that the proxy logs.',
  },
  pid_file: {
    type: text,
    default: computed('jupyterhub-proxy.pid in data_dir', (read) => {
      return `${String(read('Orrery', 'data_dir'))}/jupyterhub-proxy.pid`
    }),
    summary: 'File that holds the process id of the proxy, to find one that was left over.',
  },
})
