import { createServer } from 'node:http'
import type { Socket } from 'node:net'

// Sends and takes large bodies (`GET /...?MEGABYTES`, `POST`), and sends messages of WebSockets back.
const piece = Buffer.alloc(2 ** 18, 'x')
/** The key is always that of RFC 6455 §1.3. */
const joined =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    request.resume().once('end', () => response.end('taken'))
    return
  }
  let left = Number(request.url?.split('?')[1] ?? 0) * 2 ** 20
  response.writeHead(200, { 'Content-Length': left })
  const more = (): void => {
    while (left > 0) {
      left -= piece.length
      if (!response.write(piece)) return
    }
    response.end()
  }
  response.on('drain', more)
  more()
})
server.on('upgrade', (_request, socket: Socket) => {
  socket.setNoDelay(true).on('error', () => socket.destroy())
  // A server of Node's leaves its half open.
  socket.on('end', () => socket.end())
  socket.write(joined)
  // Frames of the bench come whole: two bytes, a mask of zeros, the payload.
  socket.on('data', (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      const length = (bytes[at + 1] ?? 0) & 0x7f
      const payload = bytes.subarray(at + 6, at + 6 + length)
      socket.write(Buffer.concat([Buffer.of(bytes[at] ?? 0, length), payload]))
      at += 6 + length
    }
  })
})
server.requestTimeout = 0
server.listen(Number(process.argv[2]), '127.0.0.1', 4096)
