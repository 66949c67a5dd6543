export { type AnswerOf, type Call, type OperationId, type RequestOf } from './call.ts'
export { type Client, createClient } from './client.ts'
export { EventStreamError, EventStreamParser } from './event-stream.ts'
export type * from './generated.ts'
export type { Page, PageQuery } from './pages.ts'
export type { ProgressOptions, ServerEvent } from './progress.ts'
export type { StartAndWaitOptions, StopOptions } from './resources/servers.ts'
export type { Recipient, ShareCodeOptions } from './resources/shares.ts'
export type { NewTokenOptions } from './resources/tokens.ts'
export type { UserOptions, UserQuery } from './resources/users.ts'
export {
  type ClientError,
  type Failure,
  HubRequestError,
  type Result,
  type Success,
  unwrap,
} from './result.ts'
export type { ServerRef } from './server-ref.ts'
export type { CallOptions, ClientOptions } from './transport.ts'
