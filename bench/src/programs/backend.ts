import { createServer } from 'node:net'

// Answers whatever comes with 1 kB, one answer for each end of a head. `backend.ts PORT`
const answer = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n${'x'.repeat(1024)}`)

createServer({ noDelay: true }, (socket) => {
  let tail = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes) => {
    const text = tail + bytes.toString('latin1')
    tail = text.slice(-3)
    for (let i = text.split('\r\n\r\n').length - 1; i > 0; i -= 1) socket.write(answer)
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
