import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { describeStores } from '../support/stores.ts'
import { ApiHub, textWith } from './api-hub.ts'

const all = ['admin:users', 'admin:groups', 'admin:servers', 'list:users', 'tokens']

describeStores('transport', (open) => {
  let hub: ApiHub
  afterEach(() => hub.close())

  async function start(options?: Parameters<typeof ApiHub.start>[1]) {
    hub = await ApiHub.start(await open(), options)
    await hub.addPeople()
    return hub.callerWith(all)
  }

  it('matches raw paths and decodes their variables', async () => {
    const call = await start()
    const cases: [line: string, status: number, text: string][] = [
      ['GET /users/', 404, ''],
      ['GET /users//', 404, 'Not Found'],
      ['GET //users', 404, 'Not Found'],
      ['GET /Users', 404, 'Not Found'],
      ['GET /users/Bob', 404, 'No such user'],
      ['GET /users/%62ob', 200, '"bob"'],
      ['GET /users/bob/server/', 404, 'Not Found'],
      ['GET /users/bob/servers', 404, 'Not Found'],
      ['GET /users/bob/servers/', 200, '"full_name":"bob/"'],
      ['GET /users/bob/servers//progress', 404, ''],
      ['GET /users/bob/tokens/', 404, ''],
      ['GET /users/a%2Fb', 404, 'No such user'],
      ['GET /users/a+b', 404, 'No such user'],
      ['GET /users/%ff', 400, 'Invalid unicode'],
      ['GET /users/%', 404, 'No such user'],
      ['GET /users/%zz?state=%zz', 404, 'No such user'],
      ['GET /users/%00', 404, 'No such user'],
      [`GET /users/${'x'.repeat(1000)}`, 404, 'No such user'],
      [`GET /users/${'x'.repeat(5000)}`, 404, 'Not Found'],
      ['GET /users?limit=1&limit=x', 400, 'limit'],
      ['GET /users?limit=%201%20', 200, ''],
      ['GET /users?limit=', 400, 'limit'],
      ['GET /users?limit=-1&offset=-1', 200, ''],
      ['GET /users?limit=0', 200, ''],
      ['GET /users?sort=', 400, 'sort'],
      ['GET /users?state=', 200, ''],
      ['GET /users?name_filter=%00', 200, '[]'],
    ]
    for (const [line, status, text] of cases) {
      const answer = await call(line)
      expect([line, answer.statusCode, answer.body]).toEqual([line, status, textWith(text)])
      expect([line, answer.headers['content-type']]).toEqual([line, 'application/json'])
      expect([line, answer.headers['x-jupyterhub-version']]).toEqual([line, textWith('6.')])
    }
  })

  it('answers every method in the form of the reference', async () => {
    const call = await start()
    const cases: [line: string, status: number, body: string][] = [
      ['HEAD /users', 405, ''],
      ['HEAD /', 405, ''],
      ['OPTIONS /users/bob', 200, ''],
      ['OPTIONS /', 200, ''],
      ['POST /', 405, '{"status":405,"message":"Method Not Allowed"}'],
      ['OPTIONS /nothing', 404, '{"status":404,"message":"Not Found"}'],
      ['PUT /users', 405, '{"status":405,"message":"Method Not Allowed"}'],
      ['PATCH /groups/g1', 405, '{"status":405,"message":"Method Not Allowed"}'],
      ['PROPFIND /users', 405, '{"status":405,"message":"Method Not Allowed"}'],
      ['TRACE /nothing', 405, '{"status":405,"message":"Method Not Allowed"}'],
    ]
    for (const [line, status, body] of cases) {
      const answer = await call(line)
      expect([line, answer.statusCode, answer.body]).toEqual([line, status, body])
      expect([line, answer.headers['content-type']]).toEqual([line, 'application/json'])
      const origin = answer.headers['access-control-allow-origin']
      expect([line, origin]).toEqual([line, line.endsWith(' /') ? '*' : undefined])
    }
  })

  it('reads bodies by the rules of each endpoint', async () => {
    const call = await start()
    const bom = '\ufeff{}'
    const cases: [line: string, body: string, status: number][] = [
      ['POST /users/alice', '{', 400],
      ['POST /users/alice', bom, 400],
      ['POST /users/alice', ' \v\n{} ', 409],
      ['POST /users/alice', '[]', 409],
      ['POST /users/alice', '   ', 400],
      ['PATCH /users/ghost', '{', 404],
      ['PATCH /users/bob', '', 400],
      ['PATCH /users/bob', 'null', 400],
      ['PATCH /users/bob', '{}', 200],
      ['DELETE /users/ghost', '{', 404],
      ['POST /users/ghost/server', '{', 404],
      ['POST /users/bob/server', '{', 400],
      ['POST /users/bob/server', '[1]', 400],
      ['DELETE /users/bob/server', '0', 204],
      ['DELETE /users/bob/server', '{', 400],
      ['DELETE /groups/ghost', '{', 404],
      ['POST /users/ghost/activity', '{', 404],
      ['POST /users/bob/activity', '{', 400],
      ['PUT /groups/g1/properties', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`, 400],
      ['PUT /groups/g1/properties', `${'{"a":'.repeat(400)}1${'}'.repeat(400)}`, 200],
      ['PUT /groups/g1/properties', `{"a":"${'['.repeat(5000)}"}`, 200],
      ['PUT /groups/g1/properties', '['.repeat(100_000), 400],
      ['PUT /groups/g1/properties', '{"__proto__":{"x":1},"a":"\\u0000"}', 200],
    ]
    for (const [line, body, status] of cases) {
      const seen = [line, body.slice(0, 40), (await call(line, body)).statusCode]
      expect(seen).toEqual([line, body.slice(0, 40), status])
    }
    const group = (await call('GET /groups/g1')).json<{ properties: object }>()
    expect(group.properties).toEqual({ a: '\u0000' })
  })

  it('refuses a form with parts that is none', async () => {
    const call = await start()
    const part = 'Content-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    const cases: [type: string, body: string, status: number][] = [
      ['multipart/form-data', '{}', 400],
      ['multipart/form-data; boundary=', '{}', 400],
      ['multipart/form-data; boundary=x', '{}', 400],
      ['multipart/form-data; boundary=x', `--x\r\n${part}`, 400],
      ['multipart/form-data; boundary=x', '--x\r\nnothing\r\n--x--', 400],
      // A form, and therefore no JSON.
      ['multipart/form-data; boundary=x', `--x\r\n${part}--x--\r\n`, 400],
      ['multipart/mixed', '{}', 200],
      ['application/x-www-form-urlencoded', '{}', 200],
    ]
    for (const [type, body, status] of cases) {
      const answer = await call('PATCH /users/bob', body, { 'content-type': type })
      expect([type, body, answer.statusCode]).toEqual([type, body, status])
    }
    const ignored = await call('DELETE /groups/g2', `--x\r\n${part}--x--\r\n`, {
      'content-type': 'multipart/form-data; boundary="x"',
    })
    expect(ignored.statusCode).toBe(204)
  })

  it('compares entity tags weakly, in lists, and with a star', async () => {
    const call = await start()
    const { etag } = (await call('GET /users/carol')).headers
    const tag = String(etag)
    const cases: [sent: string, status: number][] = [
      [tag, 304],
      [`W/${tag}`, 304],
      [`"x", ${tag}`, 304],
      [`"a,b", W/${tag}`, 304],
      ['*', 304],
      [' * ', 304],
      [tag.slice(1, -1), 200],
      ['"x"', 200],
      ['', 200],
    ]
    for (const [sent, status] of cases) {
      const answer = await call('GET /users/carol', undefined, { 'if-none-match': sent })
      expect([sent, answer.statusCode]).toEqual([sent, status])
      expect(answer.headers.etag).toBe(tag)
      expect(answer.body === '').toBe(status === 304)
    }
    for (const line of ['GET /users', 'GET /', 'GET /groups/g1']) {
      expect((await call(line)).headers.etag).toMatch(/^"[0-9a-f]{40}"$/)
    }
    expect((await call('GET /users/ghost')).headers.etag).toBeUndefined()
  })

  it('sends configured headers with every answer, errors too', async () => {
    const headers = { 'Access-Control-Allow-Origin': 'https://ui.example', 'X-Ours': '1' }
    const call = await start({ settings: { headers } })
    for (const line of [
      'GET /',
      'GET /users',
      'GET /users/ghost',
      'GET /nothing',
      'HEAD /users',
      'OPTIONS /',
    ]) {
      const answer = await call(line)
      expect([line, answer.headers['access-control-allow-origin']]).toEqual([
        line,
        'https://ui.example',
      ])
      expect(answer.headers['x-ours']).toBe('1')
    }
  })

  it('answers what is too large or no HTTP with 4xx, and lives on', async () => {
    const call = await start()
    await hub.app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = hub.app.server.address() as AddressInfo // it listens on TCP
    const auth = `Host: x\r\nAuthorization: token ${call.token}\r\n`
    const post = `POST /hub/api/users HTTP/1.1\r\n${auth}`
    const cases: [what: string, request: string, status: number][] = [
      ['an endless URL', `GET /hub/api/users?x=${'a'.repeat(70_000)} HTTP/1.1\r\n${auth}\r\n`, 431],
      ['a huge header', `GET /hub/api/ HTTP/1.1\r\n${auth}X: ${'a'.repeat(70_000)}\r\n\r\n`, 431],
      [
        'a huge token',
        `GET /hub/api/user HTTP/1.1\r\nHost: x\r\nAuthorization: token ${'a'.repeat(5000)}\r\n\r\n`,
        403,
      ],
      ['an announced huge body', `${post}Content-Length: 99999999999\r\n\r\n{}`, 413],
      [
        'a huge chunk',
        `${post}Transfer-Encoding: chunked\r\n\r\n200000\r\n${'a'.repeat(0x200000)}\r\n0\r\n\r\n`,
        413,
      ],
      ['garbage', 'hello\r\n\r\n', 400],
      ['an unknown verb', `FROB /hub/api/users HTTP/1.1\r\n${auth}\r\n`, 405],
      ['an odd version', 'GET /hub/api/ HTTP/9.9\r\nHost: x\r\n\r\n', 400],
      ['two lengths', `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
      [
        'length and chunks',
        `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      ['a bad chunk', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n`, 400],
      ['an unknown coding', `${post}Transfer-Encoding: frob\r\n\r\n`, 400],
      ['a zero byte', `GET /hub/api/ HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n`, 400],
      ['a space in the path', `GET /hub/api/users/a b HTTP/1.1\r\n${auth}\r\n`, 400],
    ]
    for (const [what, request, status] of cases) {
      const answer = await exchange(port, request)
      expect([what, answer.split(' ')[1]]).toEqual([what, String(status)])
      const body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
      expect(JSON.parse(body)).toMatchObject({ status, message: textWith('') })
    }
    expect((await call('GET /users/bob')).statusCode).toBe(200)
  })
})

/** Sends raw bytes; the answer, or what there is of it when the connection ends. */
async function exchange(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined) // the hub may close while it is still being told
  await once(socket, 'connect')
  socket.write(Buffer.from(request, 'latin1'))
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
    if (isComplete(text)) socket.destroy()
  })
  await once(socket, 'close')
  return text
}

function isComplete(text: string): boolean {
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1]
  const end = text.indexOf('\r\n\r\n')
  return length !== undefined && end !== -1 && text.length >= end + 4 + Number(length)
}
