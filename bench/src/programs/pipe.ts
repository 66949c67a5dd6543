import { connect, createServer } from 'node:net'

// Every connection gets one of its own to the target; bytes pass unread. `pipe.ts PORT TARGET-PORT`
const [port = 0, targetPort = 0] = process.argv.slice(2).map(Number)

createServer({ noDelay: true }, (near) => {
  const far = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
  near.on('data', (bytes) => far.write(bytes))
  far.on('data', (bytes) => near.write(bytes))
  near.on('error', () => far.destroy()).on('close', () => far.destroy())
  far.on('error', () => near.destroy()).on('close', () => near.destroy())
}).listen(port, '127.0.0.1')
