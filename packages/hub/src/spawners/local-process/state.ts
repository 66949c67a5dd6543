import { Type } from 'typebox'

/** What the hub stores of a run: where it will listen and how to recognise its process. */
export type ProcessState = {
  readonly runId: string
  /** Address the server binds to; may be empty or a wildcard. */
  readonly ip: string
  readonly port: number
  /** Folder of the run: claim, log, cgroup list. */
  readonly runDir: string
  /** The boot that `pid` belongs to. */
  readonly bootId: string
  readonly pid?: number
  /** Field 22 of `/proc/PID/stat`, in clock ticks since boot; with `pid` it names one process ever. */
  readonly startTicks?: string
  /** The server was given a certificate and speaks HTTPS. */
  readonly tls?: boolean
}

export const processStateSchema = Type.Object({
  runId: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  ip: Type.String({ maxLength: 255 }),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  runDir: Type.String({ maxLength: 4096 }),
  bootId: Type.String({ maxLength: 64 }),
  pid: Type.Optional(Type.Integer({ minimum: 1 })),
  startTicks: Type.Optional(Type.String({ pattern: '^[0-9]{1,20}$' })),
  tls: Type.Optional(Type.Boolean()),
})
