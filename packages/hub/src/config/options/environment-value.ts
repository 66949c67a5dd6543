import { type Codec, mismatch } from '../codec.ts'
import { text } from '../codecs.ts'

/** One variable of an environment, as Python would write numbers and flags. */
export const environmentValue: Codec<string> = {
  ...text,
  decode(value, context) {
    if (typeof value === 'number') return String(value)
    if (typeof value === 'boolean') return value ? 'True' : 'False'
    return typeof value === 'string' ? text.decode(value, context) : mismatch('a string', value)
  },
}
