/** Who asks, as identity has found it out. Handed down from the API; never stored but for `userId` and `projectId`. */
export interface Identified {
  readonly userId: string;
  readonly projectId: string;
  readonly roles: readonly string[];
  readonly userDomainId?: string;
  readonly projectDomainId?: string;
  /** The identity service's token; absent under other strategies. */
  readonly token?: string;
  readonly requestId: string;
}

export interface Caller extends Identified {
  /** May touch what belongs to other projects; the policy decides it for each request. */
  readonly isAdmin: boolean;
}
