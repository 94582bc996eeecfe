/** Who asks, as identity has found it out. Handed down from the API; never stored but for `userId` and `projectId`. */
export interface Caller {
  readonly userId: string;
  readonly projectId: string;
  readonly roles: readonly string[];
  readonly isAdmin: boolean;
  /** The identity service's token; absent under `noauth`. */
  readonly token?: string;
  readonly requestId: string;
}
