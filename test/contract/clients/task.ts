/** What every client is to do: plan → checkpoint → restore. */
export interface Task {
  readonly url: string;
  readonly token: string;
  readonly projectId: string;
  readonly providerId: string;
  readonly volumeId: string;
  readonly restoreName: string;
}

export interface Ended {
  readonly checkpoint: string;
  readonly restore: string;
}
