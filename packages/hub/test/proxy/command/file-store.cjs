// A storage plug-in as somebody might have written it for configurable-http-proxy: routes in a file.
// Paths below /faulty make it fail in the way that they name.

const { readFileSync, renameSync, writeFileSync } = require('node:fs')
const { setImmediate: turn } = require('node:timers/promises')

class FileStore {
  /** @param {{ log: { info(...words: string[]): void }, authToken?: string }} options */
  constructor(options) {
    this.file = process.env['STORE_FILE'] ?? ''
    /** @type {Record<string, object>} */
    this.routes = {}
    try {
      this.routes = /** @type {Record<string, object>} */ (
        JSON.parse(readFileSync(this.file, 'utf8'))
      )
    } catch {
      this.write()
    }
    const { log, authToken, ...plain } = options
    const told = { ...plain, hasToken: authToken !== undefined }
    writeFileSync(`${this.file}.options`, JSON.stringify(told))
    log.info('storing routes in %s', this.file)
  }

  write() {
    writeFileSync(`${this.file}.new`, JSON.stringify(this.routes))
    renameSync(`${this.file}.new`, this.file)
  }

  /** @param {string} path */
  async getTarget(path) {
    await turn()
    if (path.startsWith('/faulty/reject')) throw new Error('the file is on fire')
    if (path.startsWith('/faulty/timer')) {
      setTimeout(() => {
        throw new Error('nobody listens')
      }, 1)
    }
    const parts = this.cleanPath(path).split('/')
    for (let length = parts.length; length > 0; length -= 1) {
      const prefix = parts.slice(0, length).join('/') || '/'
      const data = this.routes[prefix]
      if (data !== undefined) return { prefix, data }
    }
    return undefined
  }

  async getAll() {
    return { ...this.routes }
  }

  /** @param {string} path */
  async get(path) {
    return this.routes[this.cleanPath(path)]
  }

  /**
   * @param {string} path
   * @param {object} data
   */
  async add(path, data) {
    await turn()
    this.routes[this.cleanPath(path)] = data
    this.write()
    return null
  }

  /**
   * @param {string} path
   * @param {object} data
   */
  async update(path, data) {
    Object.assign(this.routes[this.cleanPath(path)] ?? {}, data)
    this.write()
  }

  /** @param {string} path */
  async remove(path) {
    const clean = this.cleanPath(path)
    const data = this.routes[clean]
    delete this.routes[clean]
    this.write()
    return data
  }

  /** @param {string} path */
  cleanPath(path) {
    return `/${path.replace(/^\/+|\/+$/g, '')}`
  }
}

module.exports = FileStore
