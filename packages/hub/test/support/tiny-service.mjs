// A service of a few lines: writes down what it was given, serves HTTP if it has a URL, and ends
// when it is asked to. By HTTPS, if its URL says so, with the certificate that it was given.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'

const [folder] = process.argv.slice(2)
const { JUPYTERHUB_SERVICE_NAME: name, JUPYTERHUB_SERVICE_URL: url } = process.env
appendFileSync(`${folder}/${name}.starts`, `${process.pid}\n`)
const facts = { env: process.env, cwd: process.cwd(), uid: process.getuid(), argv: process.argv }
writeFileSync(`${folder}/${name}.json`, JSON.stringify(facts))
process.stdout.write(`hello from ${name} with ${process.env.JUPYTERHUB_API_TOKEN}\n`)
process.on('SIGINT', () => {
  appendFileSync(`${folder}/${name}.ends`, `${process.pid}\n`)
  process.exit(0)
})
if (process.env.ENDS_AT_ONCE === '1') process.exit(3)
const { port, protocol } = new URL(url)
/** @type {import('node:http').RequestListener} */
const listener = (request, answer) => answer.end(`${name} ${request.url}`)
if (port !== '' && port !== '0') {
  const server =
    protocol === 'http:'
      ? createServer(listener)
      : createTlsServer(
          {
            key: readFileSync(process.env.JUPYTERHUB_SSL_KEYFILE),
            cert: readFileSync(process.env.JUPYTERHUB_SSL_CERTFILE),
            ca: readFileSync(process.env.JUPYTERHUB_SSL_CLIENT_CA),
            requestCert: true,
            rejectUnauthorized: true,
          },
          listener,
        )
  server.listen(Number(port))
}
setInterval(() => undefined, 60_000)
