/** Where a new proxy is and what it is spoken to with. */
export interface ProxyChange {
  readonly apiUrl?: string
  readonly authToken?: string
}

/** What the API may ask of the proxy. */
export interface ProxyControl {
  /**
   * Brings the routing table in line with what runs, and the proxy in line with the table.
   * Fails with `proxy_unreachable` when a driven proxy gives no answer.
   */
  check(): Promise<void>
  /** Drives another proxy from now on, or serves edges with another secret as well. */
  change(change: ProxyChange): Promise<void>
}
