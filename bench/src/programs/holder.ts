import { type Socket, connect } from 'node:net'

// Opens WebSockets and holds them; it answers pings and says nothing else: `holder.ts PORT COUNT`, the request over its channel.
// It says when all are open and ends when its channel is closed. Stopped by a signal it is a client
// that has vanished: its sockets are there and nobody answers.
const [port = 0, count = 0] = process.argv.slice(2).map(Number)
const sockets: Socket[] = []

function open(upgrade: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('an upgrade was cut')))
    socket.once('connect', () => socket.write(upgrade, 'latin1'))
    socket.once('data', (bytes) => {
      if (bytes.toString('latin1', 0, 13) !== 'HTTP/1.1 101 ') {
        reject(new Error(`an upgrade was answered by ${bytes.toString('latin1', 0, 40)}`))
        return
      }
      sockets.push(socket.off('error', reject).on('error', () => undefined))
      socket.on('data', (frames) => answerPing(socket, frames))
      resolve()
    })
  })
}

/** A ping comes alone: nothing else is sent to those who say nothing. */
function answerPing(socket: Socket, frame: Buffer): void {
  if (frame[0] !== 0x89) return
  const length = frame[1] ?? 0
  const head = Buffer.of(0x8a, 0x80 | length, 0, 0, 0, 0)
  socket.write(Buffer.concat([head, frame.subarray(2, 2 + length)]))
}

async function openAll(upgrade: string): Promise<void> {
  while (sockets.length < count) {
    const wanted = Math.min(100, count - sockets.length)
    await Promise.all(Array.from({ length: wanted }, () => open(upgrade)))
  }
}

process.once('message', (upgrade: string) => {
  openAll(upgrade).then(
    () => process.send?.({}),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
