/** Buckets that grow with their durations: eight for each doubling, so that they are 12 % wide. */
const perDoubling = 8
const perDoublingBits = 3
const mostNs = 2 ** 31 - 1

/** From a nanosecond to two seconds; longer durations are in the last one. */
export const bucketCount = bucketOfNs(mostNs) + 1

export function bucketOf(ms: number): number {
  return bucketOfNs(Math.min(mostNs, Math.max(0, ms * 1e6)) | 0)
}

function bucketOfNs(ns: number): number {
  if (ns < perDoubling) return ns
  const doublings = 31 - Math.clz32(ns) - perDoublingBits
  return (doublings + 1) * perDoubling + ((ns >> doublings) & (perDoubling - 1))
}

/** Middle of a bucket, in seconds. */
function middleOf(bucket: number): number {
  if (bucket < perDoubling) return bucket / 1e9
  const doublings = Math.trunc(bucket / perDoubling) - 1
  const lower = (perDoubling + (bucket % perDoubling)) * 2 ** doublings
  return (lower + 2 ** doublings / 2) / 1e9
}

/**
 * The duration below which a part of all lies, in seconds, to within 7 %; 0 without any.
 * @param counts - how many are in each bucket.
 */
export function quantileOf(counts: Float64Array, part: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  let before = 0
  for (const [bucket, count] of counts.entries()) {
    before += count
    if (count > 0 && before >= part * total) return middleOf(bucket)
  }
  return 0
}
