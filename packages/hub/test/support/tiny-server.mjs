// A single-user server of a few lines: answers every request on the address it is given, by HTTPS
// and to certificates of the deployment only where it was given one itself.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'

const { JUPYTERHUB_SERVICE_URL, JUPYTERHUB_SSL_KEYFILE: keyFile } = process.env
const url = new URL(JUPYTERHUB_SERVICE_URL)
/** @type {import('node:http').RequestListener} */
const listener = (request, answer) => {
  answer.setHeader('X-JupyterHub-Version', '6.0.0')
  if (request.url.endsWith('/headers')) return void answer.end(JSON.stringify(request.headers))
  answer.end(JSON.stringify({ path: request.url, pid: process.pid }))
}
const server =
  keyFile === undefined
    ? createServer(listener)
    : createTlsServer(
        {
          key: readFileSync(keyFile),
          cert: readFileSync(process.env.JUPYTERHUB_SSL_CERTFILE),
          ca: readFileSync(process.env.JUPYTERHUB_SSL_CLIENT_CA),
          requestCert: true,
          rejectUnauthorized: true,
        },
        listener,
      )
server.on('upgrade', (_request, socket) => {
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  )
  socket.on('data', (data) => socket.write(data))
  socket.on('error', () => socket.destroy())
})
server.listen(Number(url.port), url.hostname)
