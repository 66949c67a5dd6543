import type { ServerResponse } from 'node:http'
import { Slices } from '../../util/slices.ts'
import type { RouteTexts } from './storage/route-store.ts'

/** Written at once. */
const sliceLength = 32 * 1024
/** A reader that takes nothing for so long has left. */
const stallMs = 30_000

/** Writes routes as one JSON object, slice by slice, at the pace of who reads. */
export async function sendRoutes(res: ServerResponse, parts: RouteTexts): Promise<void> {
  const slices = new Slices()
  let pending = '{'
  let separator = ''
  for (const routes of parts) {
    for (const [path, json] of routes) {
      pending += `${separator}${JSON.stringify(path)}:${json}`
      separator = ','
    }
    if (pending.length >= sliceLength) {
      const hasRoom = res.write(pending)
      pending = ''
      if (!hasRoom) await room(res)
    }
    if (slices.isOver) await slices.next()
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
