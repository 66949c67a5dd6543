import {
  bindUrl,
  httpUrl,
  parseBindUrl,
  publicUrl,
  subdomainHost,
  urlPrefix,
} from '../codecs-units.ts'
import { stringList } from '../codecs-lists.ts'
import { oneOf, port, text } from '../codecs.ts'
import { proxyClass } from '../class-names.ts'
import { computed, defineOptions, type ReadOption } from '../option.ts'

/** Where the hub and the public proxy listen and how others reach them. */
export const networkOptions = defineOptions({
  ip: {
    type: text,
    default: computed("the host of bind_url, else '' (every address)", (read) =>
      partOf(read, 'bind_url', (parts) => parts.ip, ''),
    ),
    summary: 'Address the public proxy listens on; empty for every address.',
  },
  port: {
    type: port,
    default: computed('the port of bind_url, else 8000', (read) =>
      partOf(read, 'bind_url', (parts) => parts.port, 8000),
    ),
    summary: 'Port the public proxy listens on.',
  },
  base_url: {
    type: urlPrefix,
    default: computed("the path of bind_url, else '/'", (read) =>
      partOf(read, 'bind_url', (parts) => parts.path || '/', '/'),
    ),
    summary: 'Path that comes before every path of the deployment.',
  },
  bind_url: {
    type: bindUrl,
    default: '',
    summary:
      'Address, port and base path of the public proxy in one URL; ip, port and base_url win over its parts. A Unix socket, http+unix://%2Frun%2Forrery.sock, takes the place of address and port.',
  },
  public_url: {
    type: publicUrl,
    default: '',
    summary: 'URL that people type, where it cannot be told from their requests.',
  },
  subdomain_host: {
    type: subdomainHost,
    default: '',
    summary:
      'Scheme and host, such as https://hub.example, below which every user and service gets a host of its own.',
  },
  subdomain_hook: {
    type: oneOf('idna', 'legacy'),
    default: 'idna',
    summary: 'How those host names are made of names.',
  },
  hub_routespec: {
    type: text,
    default: '',
    summary:
      "Route of the hub in the proxy; base_url, or '/' with subdomain_host, when empty. '/hub/api/' lets only the API through.",
  },
  hub_ip: {
    type: text,
    default: computed("the host of hub_bind_url, else '127.0.0.1'", (read) =>
      partOf(read, 'hub_bind_url', (parts) => parts.ip, '127.0.0.1'),
    ),
    summary: 'Address the hub itself listens on; empty for every address.',
  },
  hub_port: {
    type: port,
    default: computed('the port of hub_bind_url, else 8081', (read) =>
      partOf(read, 'hub_bind_url', (parts) => parts.port, 8081),
    ),
    summary: 'Port the hub itself listens on, for the proxy and for servers.',
  },
  hub_bind_url: {
    type: httpUrl,
    default: '',
    summary: 'Address and port of the hub in one URL; hub_ip and hub_port win over its parts.',
  },
  hub_connect_ip: {
    type: text,
    default: '',
    summary: 'Host name under which servers and the proxy reach the hub, if not hub_ip.',
  },
  hub_connect_url: {
    type: publicUrl,
    default: '',
    summary: 'URL under which servers and the proxy reach the hub; wins over hub_connect_ip.',
  },
  proxy_class: {
    type: proxyClass,
    // Who runs a proxy apart from the hub, or names a program, means the proxy of those options.
    default: computed(
      "'edge'; 'configurable-http-proxy' with should_start = False or a command of its own",
      (read) =>
        read('ConfigurableHTTPProxy', 'should_start') === false ||
        !isDefaultProxyCommand(read('ConfigurableHTTPProxy', 'command'))
          ? 'configurable-http-proxy'
          : 'edge',
    ),
    as: 'proxy',
    summary: "The proxy to use: Orrery's own edge, or configurable-http-proxy.",
  },
  trusted_downstream_ips: {
    type: stringList,
    default: [],
    summary: "Addresses of proxies to skip when the client's address is read from X-Forwarded-For.",
  },
})

function isDefaultProxyCommand(command: unknown): boolean {
  return Array.isArray(command) && command.length === 1 && command[0] === 'configurable-http-proxy'
}

type Parts = ReturnType<typeof parseBindUrl>

function partOf(
  read: ReadOption,
  name: string,
  pick: (parts: Parts) => unknown,
  otherwise: unknown,
): unknown {
  const url = read('JupyterHub', name)
  if (typeof url !== 'string' || url === '') return otherwise
  try {
    return pick(parseBindUrl(url)) ?? otherwise
  } catch {
    return otherwise // The URL itself is reported where it is read.
  }
}
