import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** @returns the path of a configuration with `http` inside. */
export function nginxConfig(
  folder: string,
  { workers, http }: { readonly workers: number; readonly http: string },
): string {
  const path = join(folder, 'nginx.conf')
  writeFileSync(
    path,
    `
worker_processes ${workers}; daemon off; error_log stderr crit; pid ${folder}/pid;
events { worker_connections 32768; }
http { access_log off; client_max_body_size 0; proxy_request_buffering off; keepalive_requests 1000000000; keepalive_timeout 75s;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s; ${http} }
`,
  )
  return path
}
