import type { ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import type { RouteTexts } from './storage/route-store.ts'

/** Written in one turn of the loop; requests have theirs in between. */
const sliceLength = 64 * 1024
/** A reader that takes nothing for so long has left. */
const stallMs = 30_000

/** Writes routes as one JSON object, slice by slice, at the pace of who reads. */
export async function sendRoutes(res: ServerResponse, parts: RouteTexts): Promise<void> {
  let pending = '{'
  let separator = ''
  for (const routes of parts) {
    for (const [path, json] of routes) {
      pending += `${separator}${JSON.stringify(path)}:${json}`
      separator = ','
    }
    if (pending.length < sliceLength) continue
    const hasRoom = res.write(pending)
    pending = ''
    if (!hasRoom) await room(res)
    await turn()
    if (res.destroyed) return
  }
  res.end(`${pending}}`)
}

/** Resolves when there is room, or none will ever be. */
function room(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => res.destroy(), stallMs)
    const finish = (): void => {
      clearTimeout(timer)
      res.off('drain', finish).off('close', finish)
      resolve()
    }
    res.on('drain', finish).on('close', finish)
  })
}
