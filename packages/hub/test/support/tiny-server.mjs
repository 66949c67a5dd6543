// A single-user server of a few lines: answers every request on the address it is given.
import { createServer } from 'node:http'

const url = new URL(process.env.JUPYTERHUB_SERVICE_URL)
const server = createServer((request, answer) => {
  answer.setHeader('X-JupyterHub-Version', '6.0.0')
  answer.end(JSON.stringify({ path: request.url, pid: process.pid }))
})
server.on('upgrade', (_request, socket) => {
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  )
  socket.on('data', (data) => socket.write(data))
  socket.on('error', () => socket.destroy())
})
server.listen(Number(url.port), url.hostname)
