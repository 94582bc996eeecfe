/** Written from openapi/openapi.json by `npm run client:write`. */
export interface components {
    schemas: {
        /** @description Fault `badMediaType`. */
        readonly BadMediaType: {
            readonly badMediaType: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        /** @description Fault `badRequest`. */
        readonly BadRequest: {
            readonly badRequest: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        readonly ChangedTriggerProperties: {
            /**
             * Format: trigger-time
             * @description UTC, `YYYY-MM-DD HH:MM:SS`.
             */
            readonly end_time?: string;
            /** @enum {string} */
            readonly format: "calendar" | "crontab";
            /** @description Each run begins up to so many seconds later, so that not all begin at once. */
            readonly jitter?: number;
            /**
             * @description What becomes of runs missed while the service was away: none is made up (`skip`, the default), the last one, or all.
             * @enum {string}
             */
            readonly missed?: "skip" | "one" | "all";
            /**
             * @description When the run before still goes on: the new one is left out (`skip`, the default) or waits (`queue`).
             * @enum {string}
             */
            readonly overlap?: "skip" | "queue";
            /** @description A `VEVENT` with one or more `RRULE`s (RFC 5545), or a crontab of five fields, or six with seconds in front. */
            readonly pattern: string;
            /**
             * Format: trigger-time
             * @description UTC, `YYYY-MM-DD HH:MM:SS`.
             */
            readonly start_time: string;
            /** @description IANA name of the zone of the pattern; UTC when not given. */
            readonly timezone?: string;
            /** @description Seconds after which a run that could not begin counts as missed; 900 to 1800, 900 when not given. */
            readonly window?: number;
        };
        /** @description The result of one protect, kept in the bank. */
        readonly Checkpoint: {
            /**
             * Format: date
             * @description The UTC date alone.
             */
            readonly created_at: string;
            /**
             * Format: date-time
             * @description The same moment, in full.
             */
            readonly created_at_time: string;
            /** @description JSON text of an object. */
            readonly extra_info: string | null;
            /** Format: uuid */
            readonly id: string;
            readonly progress: components["schemas"]["Progress"];
            readonly project_id: string;
            readonly protection_plan: {
                /** Format: uuid */
                readonly id: string;
                readonly name: string;
                /** Format: uuid */
                readonly provider_id: string;
                readonly resources: readonly {
                    /** @description JSON text. */
                    readonly extra_info: string | null;
                    readonly id: string;
                    readonly name: string;
                    readonly type: string;
                }[];
            };
            /** @description Why the status is `error` or `error-deleting`. */
            readonly reason: string | null;
            /** @description JSON text of `[nodes, adjacency]`; absent until the graph is known. */
            readonly resource_graph?: string;
            /** @description What each resource of the graph came to. */
            readonly resources: readonly {
                readonly id: string;
                readonly name: string;
                readonly reason: string;
                /** @enum {string} */
                readonly status: "protecting" | "available" | "error" | "deleting" | "deleted";
                readonly type: string;
            }[];
            /** @enum {string} */
            readonly status: "protecting" | "available" | "error" | "deleting" | "deleted" | "error-deleting" | "wait_copying" | "copying";
        };
        readonly CheckpointReset: {
            /** @enum {string} */
            readonly state: "available" | "error";
        };
        readonly CollectedRepository: {
            readonly condemned: components["schemas"]["PackAmount"];
            readonly deleted: components["schemas"]["PackAmount"];
            readonly generation: number | null;
            readonly kept: components["schemas"]["PackAmount"];
            readonly project_id: string;
            readonly quarantined: components["schemas"]["PackAmount"];
            /** @description Why nothing was collected; empty when all went well. */
            readonly reason: string;
            readonly suspects: components["schemas"]["PackAmount"];
        };
        /** @description Fault `computeFault`. */
        readonly ComputeFault: {
            readonly computeFault: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        /** @description Something in a directory that a checkpoint holds. */
        readonly ContentsEntry: {
            readonly gid: number | null;
            /** @description Permission bits, octal. Null for a hard link, as are the owner and the time: see its target. */
            readonly mode: string | null;
            /** @description RFC 3339 with nanoseconds, UTC; null for a time outside the years 0 to 9999. */
            readonly mtime: string | null;
            readonly name: string;
            /** @description From the root of the directory, `/` between names. Bytes that are no UTF-8 are written `%XX`, and so is a `%` that two hex digits follow. */
            readonly path: string;
            /** @description Bytes of a file; 0 for everything else. */
            readonly size: number;
            /** @description Where a symlink points to, or the path that a hard link is another name of. */
            readonly target: string | null;
            /** @enum {string} */
            readonly type: "file" | "directory" | "symlink" | "hardlink" | "fifo" | "character_device" | "block_device";
            readonly uid: number | null;
        };
        /** @description What a request to copy has begun. A copy is a checkpoint of the other provider: `wait_copying`, `copying`, then `available` or `error`. */
        readonly Copy: {
            /** @description Each original and the copy that is being made of it; oldest original first. */
            readonly checkpoint_id: readonly components["schemas"]["CopyPair"][];
            /** @description `TYPE` or `TYPE#ID` → option → text. */
            readonly parameters: {
                readonly [key: string]: {
                    readonly [key: string]: string;
                };
            };
            /** Format: uuid */
            readonly plan_id: string;
            readonly project_id: string;
            /** Format: uuid */
            readonly provider_id: string;
        };
        readonly CopyPair: {
            /** Format: uuid */
            readonly checkpoint_copy_id: string;
            /** Format: uuid */
            readonly checkpoint_protect_id: string;
        };
        /** @description Fault `forbidden`. */
        readonly Forbidden: {
            readonly forbidden: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        /** @description One garbage collection of the repositories of a provider. What nothing needs is first a suspect, then in quarantine, then condemned, then deleted, one step a run. */
        readonly GarbageCollection: {
            readonly created_at: string;
            /** @description Nothing is changed: `deleted` is what a run would delete now. */
            readonly dry_run: boolean;
            readonly ended_at: string | null;
            /** Format: uuid */
            readonly id: string;
            readonly progress: components["schemas"]["Progress"];
            /** Format: uuid */
            readonly provider_id: string;
            /** @description One of each project; empty until it is over. */
            readonly repositories: readonly components["schemas"]["CollectedRepository"][];
            /** @enum {string} */
            readonly status: "in_progress" | "success" | "fail";
        };
        /** @description Fault `itemNotFound`. */
        readonly ItemNotFound: {
            readonly itemNotFound: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        readonly Link: {
            readonly href: string;
            /** @enum {string} */
            readonly rel: "next";
        };
        readonly NewCheckpoint: {
            readonly "extra-info"?: {
                readonly [key: string]: boolean | number | string;
            } | null;
            /** Format: uuid */
            readonly plan_id: string;
        };
        /** @description The option `target` names the provider that is copied to, by id or name. */
        readonly NewCopy: {
            /** @description `TYPE` (every resource of the type) or `TYPE#ID` (that one; it wins) → option → value. Values come back as text. */
            readonly parameters?: {
                readonly [key: string]: {
                    readonly [key: string]: boolean | number | string;
                };
            };
            /** Format: uuid */
            readonly plan_id: string;
        };
        readonly NewGarbageCollection: {
            /** @default false */
            readonly dry_run: boolean;
        };
        readonly NewPlan: {
            /**
             * Format: printable
             * @description At most 255 printable characters: no line breaks, tabs or other control characters.
             */
            readonly description?: string | null;
            /** @description Names of commands on the operator's list: `pre` runs before the point in time, `post` after it whatever happened. */
            readonly hooks?: {
                readonly post?: string;
                readonly pre?: string;
            } | null;
            /** @description At most 255 characters, not all of them white space. */
            readonly name: string;
            /** @description `TYPE` (every resource of the type) or `TYPE#ID` (that one; it wins) → option → value. Values come back as text. */
            readonly parameters: {
                readonly [key: string]: {
                    readonly [key: string]: boolean | number | string;
                };
            };
            /** Format: uuid */
            readonly provider_id: string;
            readonly resources: readonly components["schemas"]["NewPlanResource"][];
        };
        readonly NewPlanResource: {
            readonly extra_info?: {
                readonly [key: string]: unknown;
            } | null;
            readonly id: string;
            readonly name: string;
            readonly type: string;
        };
        /** @description Parameter keys use the original resource ids. `restore_auth` is used for the restore and then forgotten: never stored, never shown. */
        readonly NewRestore: {
            /** Format: uuid */
            readonly checkpoint_id: string;
            /** @description `TYPE` (every resource of the type) or `TYPE#ID` (that one; it wins) → option → value. Values come back as text. */
            readonly parameters: {
                readonly [key: string]: {
                    readonly [key: string]: boolean | number | string;
                };
            };
            /** Format: uuid */
            readonly provider_id: string;
            readonly restore_auth?: {
                readonly [key: string]: boolean | number | string | null;
            } | null;
            readonly restore_target?: string | null;
        };
        readonly NewScheduledOperation: {
            /**
             * Format: printable
             * @description At most 255 printable characters: no line breaks, tabs or other control characters.
             */
            readonly description?: string | null;
            /** @description At most 255 characters, not all of them white space. */
            readonly name: string;
            /** @description `provider_id` and `plan_id`; a `retention_protect` also has `max_backups`, `retention_duration` (days), and `keep_last`, `keep_hourly`, `keep_daily`, `keep_weekly`, `keep_monthly`, `keep_yearly`. The text form `plan_id=…,provider_id=…` that OpenStackClient sends will do. */
            readonly operation_definition: ({
                /** Format: uuid */
                readonly plan_id: string;
                /** Format: uuid */
                readonly provider_id: string;
            } & {
                readonly [key: string]: string | number | boolean | null;
            }) | string;
            /** @enum {string} */
            readonly operation_type: "protect" | "retention_protect";
            /** Format: uuid */
            readonly trigger_id: string;
        };
        readonly NewTrigger: {
            /** @description At most 255 characters, not all of them white space. */
            readonly name: string;
            readonly properties: components["schemas"]["NewTriggerProperties"];
            /** @enum {string} */
            readonly type: "time";
        };
        readonly NewTriggerProperties: {
            /**
             * Format: trigger-time
             * @description UTC, `YYYY-MM-DD HH:MM:SS`.
             */
            readonly end_time?: string;
            /** @enum {string} */
            readonly format: "calendar" | "crontab";
            /** @description Each run begins up to so many seconds later, so that not all begin at once. */
            readonly jitter?: number;
            /**
             * @description What becomes of runs missed while the service was away: none is made up (`skip`, the default), the last one, or all.
             * @enum {string}
             */
            readonly missed?: "skip" | "one" | "all";
            /**
             * @description When the run before still goes on: the new one is left out (`skip`, the default) or waits (`queue`).
             * @enum {string}
             */
            readonly overlap?: "skip" | "queue";
            /** @description A `VEVENT` with one or more `RRULE`s (RFC 5545), or a crontab of five fields, or six with seconds in front. */
            readonly pattern: string;
            /**
             * Format: trigger-time
             * @description UTC, `YYYY-MM-DD HH:MM:SS`.
             */
            readonly start_time?: string;
            /** @description IANA name of the zone of the pattern; UTC when not given. */
            readonly timezone?: string;
            /** @description Seconds after which a run that could not begin counts as missed; 900 to 1800, 900 when not given. */
            readonly window?: number;
        };
        /** @description The options of each type are in its `verify_schema`; without any, every byte is read. */
        readonly NewVerification: {
            /** Format: uuid */
            readonly checkpoint_id: string;
            /** @description `TYPE` (every resource of the type) or `TYPE#ID` (that one; it wins) → option → value. Values come back as text. */
            readonly parameters?: {
                readonly [key: string]: {
                    readonly [key: string]: boolean | number | string;
                };
            };
            /** Format: uuid */
            readonly provider_id: string;
        };
        /** @description Fault `notImplemented`. */
        readonly NotImplemented: {
            readonly notImplemented: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        /** @description What was done to a checkpoint, when, and how it ended. */
        readonly OperationLog: {
            /** Format: uuid */
            readonly checkpoint_id: string | null;
            readonly ended_at: string | null;
            readonly error_info: string | null;
            /** @description JSON text of an object: warnings, bytes, seconds. */
            readonly extra_info: string | null;
            /** Format: uuid */
            readonly id: string;
            /** @enum {string} */
            readonly operation_type: "protect" | "restore" | "verify" | "copy" | "delete" | "undelete";
            /** Format: uuid */
            readonly plan_id: string | null;
            /** Format: uuid */
            readonly provider_id: string | null;
            /** Format: uuid */
            readonly restore_id: string | null;
            /** Format: uuid */
            readonly scheduled_operation_id: string | null;
            /** @description UTC, without zone. */
            readonly started_at: string;
            /** @description The status of the thing being done. */
            readonly status: string;
        };
        /** @description Fault `overLimit`. */
        readonly OverLimit: {
            readonly overLimit: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        readonly PackAmount: {
            readonly bytes: number;
            readonly packs: number;
        };
        /** @description Which resources go into which provider, and with which options. */
        readonly Plan: {
            readonly description: string | null;
            readonly hooks?: components["schemas"]["PlanHooks"];
            /** Format: uuid */
            readonly id: string;
            readonly name: string;
            /** @description `TYPE` or `TYPE#ID` → option → text. */
            readonly parameters: {
                readonly [key: string]: {
                    readonly [key: string]: string;
                };
            };
            /** Format: uuid */
            readonly provider_id: string;
            readonly resources: readonly components["schemas"]["PlanResource"][];
            /** @enum {string} */
            readonly status: "suspended" | "started";
        };
        /** @description At least one member. Provider and parameters of a plan never change; everything but `status` only while it is suspended. */
        readonly PlanChange: {
            /**
             * Format: printable
             * @description At most 255 printable characters: no line breaks, tabs or other control characters.
             */
            readonly description?: string | null;
            /** @description Names of commands on the operator's list: `pre` runs before the point in time, `post` after it whatever happened. */
            readonly hooks?: {
                readonly post?: string;
                readonly pre?: string;
            } | null;
            /** @description At most 255 characters, not all of them white space. */
            readonly name?: string;
            readonly resources?: readonly components["schemas"]["NewPlanResource"][];
            /** @enum {string} */
            readonly status?: "suspended" | "started";
        };
        /** @description Names of commands on the operator's list: `pre` runs before the point in time, `post` after it whatever happened. */
        readonly PlanHooks: {
            readonly post?: string;
            readonly pre?: string;
        };
        /** @description A resource as a plan names it; `extra_info` only when it was given. */
        readonly PlanResource: {
            readonly extra_info?: {
                readonly [key: string]: unknown;
            };
            readonly id: string;
            readonly name: string;
            readonly type: string;
        };
        /** @description Where the operation stands while it runs here; null otherwise. Bytes count once they are durable and compared. */
        readonly Progress: {
            readonly bytes_per_second: number;
            readonly done_bytes: number;
            /** @description Bytes the bank had already. */
            readonly reused_bytes: number;
            readonly seconds_left: number | null;
            readonly step: string;
            readonly steps_done: number;
            readonly steps_total: number;
            /** @description Added to the bank. */
            readonly stored_bytes: number;
            /** @description 0 while it is not known. */
            readonly total_bytes: number;
        } | null;
        /** @description A resource that can be named in a plan. */
        readonly ProtectableInstance: {
            /** @description What hangs under it, one level deep. */
            readonly dependent_resources: readonly {
                readonly extra_info: {
                    readonly [key: string]: unknown;
                } | null;
                readonly id: string;
                readonly name: string;
                readonly type: string;
            }[];
            readonly extra_info: {
                readonly [key: string]: unknown;
            } | null;
            readonly id: string;
            readonly name: string;
            readonly type: string;
        };
        /** @description A kind of thing that can be protected, and the kinds that hang under it. */
        readonly ProtectableType: {
            readonly dependent_types: readonly string[];
            readonly name: string;
        };
        /** @description A bank with the protection plugins configured for it. */
        readonly Provider: {
            readonly description: string;
            /** @description Resource type → JSON Schema of what a request may name for it. */
            readonly extended_info_schema: {
                readonly options_schema: {
                    readonly [key: string]: unknown;
                };
                readonly restore_schema: {
                    readonly [key: string]: unknown;
                };
                readonly saved_info_schema: {
                    readonly [key: string]: unknown;
                };
                readonly verify_schema: {
                    readonly [key: string]: unknown;
                };
            };
            /** Format: uuid */
            readonly id: string;
            readonly name: string;
        };
        readonly Quota: {
            /** @description Checkpoints that are not deleted or being deleted; copies do not count. -1: any number. */
            readonly checkpoints: number;
            /** @description The project. */
            readonly id: string;
            /** @description Plans that are not deleted. -1: any number. */
            readonly plans: number;
            /** @description Sizes of all protected resources, each in its newest good checkpoint. -1: any number. */
            readonly protected_bytes: number;
            /** @description Bytes in the banks, after deduplication and compression. -1: any number. */
            readonly stored_bytes: number;
        };
        /** @description The limits to set; the others stay. */
        readonly QuotaChange: {
            /** @description A whole number from -1, which is any number; text of one will do. */
            readonly checkpoints?: number | string;
            /** @description A whole number from -1, which is any number; text of one will do. */
            readonly plans?: number | string;
            /** @description A whole number from -1, which is any number; text of one will do. */
            readonly protected_bytes?: number | string;
            /** @description A whole number from -1, which is any number; text of one will do. */
            readonly stored_bytes?: number | string;
        };
        readonly QuotaClass: {
            /** @description Checkpoints that are not deleted or being deleted; copies do not count. -1: any number. */
            readonly checkpoints: number;
            /** @description The name of the class. */
            readonly id: string;
            /** @description Plans that are not deleted. -1: any number. */
            readonly plans: number;
            /** @description Sizes of all protected resources, each in its newest good checkpoint. -1: any number. */
            readonly protected_bytes: number;
            /** @description Bytes in the banks, after deduplication and compression. -1: any number. */
            readonly stored_bytes: number;
        };
        readonly QuotaDetail: {
            readonly checkpoints: components["schemas"]["QuotaUsage"];
            /** @description The project. */
            readonly id: string;
            readonly plans: components["schemas"]["QuotaUsage"];
            readonly protected_bytes: components["schemas"]["QuotaUsage"];
            readonly stored_bytes: components["schemas"]["QuotaUsage"];
        };
        readonly QuotaLimits: {
            /** @description Checkpoints that are not deleted or being deleted; copies do not count. -1: any number. */
            readonly checkpoints: number;
            /** @description Plans that are not deleted. -1: any number. */
            readonly plans: number;
            /** @description Sizes of all protected resources, each in its newest good checkpoint. -1: any number. */
            readonly protected_bytes: number;
            /** @description Bytes in the banks, after deduplication and compression. -1: any number. */
            readonly stored_bytes: number;
        };
        readonly QuotaUsage: {
            readonly in_use: number;
            readonly limit: number;
            readonly reserved: number;
        };
        /** @description Fault `rangeNotSatisfiable`. */
        readonly RangeNotSatisfiable: {
            readonly rangeNotSatisfiable: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        /** @description One restore of one checkpoint. The two maps are keyed by `TYPE#NEW_ID`, or by `TYPE#ORIGINAL_ID` while nothing new has an id. */
        readonly Restore: {
            /** Format: uuid */
            readonly checkpoint_id: string;
            /** Format: uuid */
            readonly id: string;
            /** @description `TYPE` or `TYPE#ID` → option → text. */
            readonly parameters: {
                readonly [key: string]: {
                    readonly [key: string]: string;
                };
            };
            readonly progress: components["schemas"]["Progress"];
            readonly project_id: string;
            /** Format: uuid */
            readonly provider_id: string;
            readonly resources_reason: {
                readonly [key: string]: string;
            };
            readonly resources_status: {
                readonly [key: string]: string;
            };
            readonly restore_target: string | null;
            /** @enum {string} */
            readonly status: "in_progress" | "success" | "fail";
        };
        /** @description What the retention makes of one checkpoint. */
        readonly RetentionVerdict: {
            /** Format: uuid */
            readonly checkpoint_id: string;
            readonly goes: boolean;
            readonly reason: string;
        };
        /** @description What happens when a trigger strikes. */
        readonly ScheduledOperation: {
            readonly description: string | null;
            /** @enum {boolean} */
            readonly enabled: true;
            /** Format: uuid */
            readonly id: string;
            readonly name: string;
            readonly operation_definition: {
                readonly [key: string]: string;
            };
            /** @enum {string} */
            readonly operation_type: "protect" | "retention_protect";
            /** Format: uuid */
            readonly trigger_id: string;
        };
        /** @description One run of a scheduled operation. */
        readonly ScheduledRun: {
            readonly checkpoint_id: string | null;
            /** @description What the retention has let go. */
            readonly deleted_checkpoints: readonly string[];
            /** Format: date-time */
            readonly ended_at: string | null;
            /**
             * Format: date-time
             * @description What the pattern of the trigger said.
             */
            readonly expected_at: string;
            /** Format: uuid */
            readonly id: string;
            readonly reason: string | null;
            /** Format: uuid */
            readonly scheduled_operation_id: string;
            /** Format: date-time */
            readonly started_at: string | null;
            /**
             * @description Success means that the checkpoint is available, not only that it was asked for.
             * @enum {string}
             */
            readonly state: "triggered" | "in_progress" | "success" | "failed" | "dropped_out_of_window" | "dropped_overlap";
            /** Format: date-time */
            readonly triggered_at: string;
        };
        /** @description One role of one process of Karri. */
        readonly Service: {
            /** @enum {string} */
            readonly binary: "karbor-protection" | "karbor-operationengine";
            readonly disabled_reason: string | null;
            readonly host: string;
            readonly id: number;
            /** @enum {string} */
            readonly state: "up" | "down";
            /** @enum {string} */
            readonly status: "enabled" | "disabled";
            /** @description The last heartbeat; UTC, without a zone. */
            readonly updated_at: string;
        };
        readonly ServiceChange: {
            readonly disabled_reason?: string | null;
            readonly status?: string;
        };
        /** @description Fault `serviceUnavailable`. */
        readonly ServiceUnavailable: {
            readonly serviceUnavailable: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        /** @description Fault `tooManyRequests`. */
        readonly TooManyRequests: {
            readonly tooManyRequests: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        /** @description When something is to happen. */
        readonly Trigger: {
            /** Format: uuid */
            readonly id: string;
            readonly name: string;
            /** @description The next occurrences, five at most. */
            readonly next_runs: readonly string[];
            /** @description As they were given, every value as text. */
            readonly properties: {
                readonly [key: string]: string;
            };
            /** @enum {string} */
            readonly type: "time";
        };
        /** @description `properties` replaces all of them; `start_time` has to be among them. `type` is passed over. */
        readonly TriggerChange: {
            /** @description At most 255 characters, not all of them white space. */
            readonly name?: string;
            readonly properties?: components["schemas"]["ChangedTriggerProperties"];
            readonly type?: string;
        };
        /** @description Fault `unauthorized`. */
        readonly Unauthorized: {
            readonly error?: {
                readonly code: number;
                readonly message: string;
                readonly title: string;
            };
            readonly unauthorized?: {
                readonly code: number;
                readonly message: string;
                /** @description Seconds as text; with quotas and limits only. */
                readonly retryAfter?: string;
            };
        };
        /** @description One verification of one checkpoint: bytes read back from the bank and compared. The two maps are keyed by `TYPE#ORIGINAL_ID`. */
        readonly Verification: {
            /** Format: uuid */
            readonly checkpoint_id: string;
            /** Format: uuid */
            readonly id: string;
            /** @description `TYPE` or `TYPE#ID` → option → text. */
            readonly parameters: {
                readonly [key: string]: {
                    readonly [key: string]: string;
                };
            };
            readonly progress: components["schemas"]["Progress"];
            readonly project_id: string;
            /** Format: uuid */
            readonly provider_id: string;
            /** @description What was read of each resource; empty until it is over. */
            readonly resources: readonly components["schemas"]["VerifiedResource"][];
            readonly resources_reason: {
                readonly [key: string]: string;
            };
            readonly resources_status: {
                readonly [key: string]: string;
            };
            /** @enum {string} */
            readonly status: "in_progress" | "success" | "fail";
        };
        readonly VerifiedResource: {
            /** @description How the digest is made. */
            readonly algorithm: string | null;
            readonly checked_at: string | null;
            readonly damage_count: number;
            /** @description The first damages: the object of the bank, what is wrong, and what it hits. */
            readonly damages: readonly string[];
            /** @description Of the whole content, when all of it was read and is right; equal to what the protect recorded. */
            readonly digest: string | null;
            readonly id: string;
            readonly name: string;
            /**
             * @description `failed`: it could not be read to the end.
             * @enum {string}
             */
            readonly outcome: "sound" | "damaged" | "failed";
            /** @description Share of the stored bytes that was to be read. */
            readonly percent: number | null;
            /** @description Bytes read back from the bank and compared. */
            readonly read_bytes: number | null;
            readonly type: string;
        };
        readonly Version: {
            readonly id: string;
            readonly links: readonly {
                readonly href: string;
                readonly rel: string;
            }[];
            readonly status: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export interface operations {
    readonly listVersions: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The choice there is. */
            readonly 300: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly versions: readonly components["schemas"]["Version"][];
                    };
                };
            };
        };
    };
    readonly getHealth: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        /** @enum {string} */
                        readonly status: "ok";
                    };
                };
            };
        };
    };
    readonly getDocument: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly [key: string]: unknown;
                    };
                };
            };
        };
    };
    readonly getReadiness: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly checks: {
                            readonly [key: string]: string;
                        };
                        /** @enum {string} */
                        readonly status: "ready" | "not ready";
                    };
                };
            };
        };
    };
    readonly getVersion: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly version: components["schemas"]["Version"];
                    };
                };
            };
        };
    };
    readonly listOperationLogs: {
        readonly parameters: {
            readonly query?: {
                /** @description Boolean text; every project, for administrators. */
                readonly all_tenants?: string;
                /** @description The checkpoint, exactly. */
                readonly checkpoint_id?: string;
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description Items to skip. */
                readonly offset?: number;
                /** @description The plan, exactly. */
                readonly plan_id?: string;
                /** @description With `all_tenants`, for administrators: this project alone. */
                readonly project_id?: string;
                /** @description The restore, exactly. */
                readonly restore_id?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
                /** @description The status, exactly. */
                readonly status?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly operation_logs: readonly components["schemas"]["OperationLog"][];
                        /** @description The next page. Absent when there is none. */
                        readonly operation_logs_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly getOperationLog: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The operation log's id. */
                readonly operation_log_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly operation_log: components["schemas"]["OperationLog"];
                    };
                };
            };
        };
    };
    readonly listServices: {
        readonly parameters: {
            readonly query?: {
                /** @description The binary, exactly. */
                readonly binary?: string;
                /** @description The host, exactly. */
                readonly host?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly services: readonly components["schemas"]["Service"][];
                    };
                };
            };
        };
    };
    readonly updateService: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The number of the service. */
                readonly service_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["ServiceChange"];
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly service: components["schemas"]["Service"];
                    };
                };
            };
        };
    };
    readonly listPlans: {
        readonly parameters: {
            readonly query?: {
                /** @description Boolean text; every project, for administrators. */
                readonly all_tenants?: string;
                /** @description Part of the description, or a regular expression. */
                readonly description?: string;
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description Part of the name, or a regular expression. */
                readonly name?: string;
                /** @description Items to skip. */
                readonly offset?: number;
                /** @description With `all_tenants`, for administrators: this project alone. */
                readonly project_id?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
                /** @description The status, exactly. */
                readonly status?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly plans: readonly components["schemas"]["Plan"][];
                        /** @description The next page. Absent when there is none. */
                        readonly plans_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly createPlan: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly plan: components["schemas"]["NewPlan"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly plan: components["schemas"]["Plan"];
                    };
                };
            };
        };
    };
    readonly getPlan: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The plan's id. */
                readonly plan_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly plan: components["schemas"]["Plan"];
                    };
                };
            };
        };
    };
    readonly updatePlan: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The plan's id. */
                readonly plan_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly plan: components["schemas"]["PlanChange"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly plan: components["schemas"]["Plan"];
                    };
                };
            };
        };
    };
    readonly deletePlan: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The plan's id. */
                readonly plan_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Done; the body is empty. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly listProtectableTypes: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly protectable_type: readonly string[];
                    };
                };
            };
        };
    };
    readonly getProtectableType: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The protectable type. */
                readonly protectable_type: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly protectable_type: components["schemas"]["ProtectableType"];
                    };
                };
            };
        };
    };
    readonly listProtectableInstances: {
        readonly parameters: {
            readonly query?: {
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description Text of a Python dictionary, `{'k': 'v'}`, handed to the plugin of the type. */
                readonly parameters?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The protectable type. */
                readonly protectable_type: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly instances: readonly components["schemas"]["ProtectableInstance"][];
                        /** @description The next page. Absent when there is none. */
                        readonly instances_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly getProtectableInstance: {
        readonly parameters: {
            readonly query?: {
                /** @description Text of a Python dictionary, `{'k': 'v'}`, handed to the plugin of the type. */
                readonly parameters?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The instance's id. */
                readonly instance_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The protectable type. */
                readonly protectable_type: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly instance: components["schemas"]["ProtectableInstance"];
                    };
                };
            };
        };
    };
    readonly listProviders: {
        readonly parameters: {
            readonly query?: {
                /** @description The description, exactly. */
                readonly description?: string;
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description The name, exactly. */
                readonly name?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly providers: readonly components["schemas"]["Provider"][];
                        /** @description The next page. Absent when there is none. */
                        readonly providers_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly getProvider: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly provider: components["schemas"]["Provider"];
                    };
                };
            };
        };
    };
    readonly listCheckpoints: {
        readonly parameters: {
            readonly query?: {
                /** @description Boolean text; every project, for administrators. */
                readonly all_tenants?: string;
                /** @description A UTC date, inclusive. `end_date` counts only with `start_date`. */
                readonly end_date?: string;
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description The plan they were made of. */
                readonly plan_id?: string;
                /** @description With `all_tenants`, for administrators: this project alone. */
                readonly project_id?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
                /** @description A UTC date, inclusive. `end_date` counts only with `start_date`. */
                readonly start_date?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly checkpoints: readonly components["schemas"]["Checkpoint"][];
                        /** @description The next page. Absent when there is none. */
                        readonly checkpoints_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly createCheckpoint: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly checkpoint: components["schemas"]["NewCheckpoint"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly checkpoint: components["schemas"]["Checkpoint"];
                    };
                };
            };
        };
    };
    readonly getCheckpoint: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The checkpoint's id. */
                readonly checkpoint_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly checkpoint: components["schemas"]["Checkpoint"];
                    };
                };
            };
        };
    };
    readonly resetCheckpoint: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The checkpoint's id. */
                readonly checkpoint_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly "os-resetState": components["schemas"]["CheckpointReset"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": Record<string, never>;
                };
            };
        };
    };
    readonly deleteCheckpoint: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The checkpoint's id. */
                readonly checkpoint_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": Record<string, never>;
                };
            };
        };
    };
    readonly undeleteCheckpoint: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The checkpoint's id. */
                readonly checkpoint_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly undelete: Record<string, never>;
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly checkpoint: components["schemas"]["Checkpoint"];
                    };
                };
            };
        };
    };
    readonly listContents: {
        readonly parameters: {
            readonly query?: {
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description `path` of the last entry of the page before. */
                readonly marker?: string;
                /** @description From the root of the directory, as `path` of an entry: UTF-8, other bytes as `%XX`, escaped for a URL like any text. Slashes at its ends do not matter. The root if absent. */
                readonly path?: string;
                /** @description Each directory is followed by everything in it. */
                readonly recursive?: boolean;
                /** @description Type of the resource; needed only where two of the checkpoint have the same id. */
                readonly type?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The checkpoint's id. */
                readonly checkpoint_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
                /** @description As the checkpoint's `resources` have it. */
                readonly resource_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly entries: readonly components["schemas"]["ContentsEntry"][];
                        /** @description The next page. Absent when there is none. */
                        readonly entries_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly getContentsFile: {
        readonly parameters: {
            readonly query: {
                /** @description From the root of the directory, as `path` of an entry: UTF-8, other bytes as `%XX`, escaped for a URL like any text. Slashes at its ends do not matter. */
                readonly path: string;
                /** @description Type of the resource; needed only where two of the checkpoint have the same id. */
                readonly type?: string;
            };
            readonly header?: {
                /** @description `ETag`s of what the client has. */
                readonly "if-none-match"?: string;
                /** @description The `ETag` that the range belongs to; all is sent if it is another. */
                readonly "if-range"?: string;
                /** @description One part: `bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`. */
                readonly range?: string;
            };
            readonly path: {
                /** @description The checkpoint's id. */
                readonly checkpoint_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
                /** @description As the checkpoint's `resources` have it. */
                readonly resource_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The bytes. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/octet-stream": string;
                };
            };
        };
    };
    readonly getContentsRaw: {
        readonly parameters: {
            readonly query?: {
                /** @description Type of the resource; needed only where two of the checkpoint have the same id. */
                readonly type?: string;
            };
            readonly header?: {
                /** @description `ETag`s of what the client has. */
                readonly "if-none-match"?: string;
                /** @description The `ETag` that the range belongs to; all is sent if it is another. */
                readonly "if-range"?: string;
                /** @description One part: `bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`. */
                readonly range?: string;
            };
            readonly path: {
                /** @description The checkpoint's id. */
                readonly checkpoint_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
                /** @description As the checkpoint's `resources` have it. */
                readonly resource_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The bytes. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/octet-stream": string;
                };
            };
        };
    };
    readonly getContentsTar: {
        readonly parameters: {
            readonly query?: {
                /** @description From the root of the directory, as `path` of an entry: UTF-8, other bytes as `%XX`, escaped for a URL like any text. Slashes at its ends do not matter. The root if absent. */
                readonly path?: string;
                /** @description Type of the resource; needed only where two of the checkpoint have the same id. */
                readonly type?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The checkpoint's id. */
                readonly checkpoint_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
                /** @description As the checkpoint's `resources` have it. */
                readonly resource_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The bytes. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/x-tar": string;
                };
            };
        };
    };
    readonly createCopy: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly copy: components["schemas"]["NewCopy"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly copy: components["schemas"]["Copy"];
                    };
                };
            };
        };
    };
    readonly listGarbageCollections: {
        readonly parameters: {
            readonly query?: {
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly gcs: readonly components["schemas"]["GarbageCollection"][];
                        /** @description The next page. Absent when there is none. */
                        readonly gcs_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly createGarbageCollection: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly gc: components["schemas"]["NewGarbageCollection"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly gc: components["schemas"]["GarbageCollection"];
                    };
                };
            };
        };
    };
    readonly getGarbageCollection: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The gc's id. */
                readonly gc_id: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The provider's id. */
                readonly provider_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly gc: components["schemas"]["GarbageCollection"];
                    };
                };
            };
        };
    };
    readonly getQuotaClass: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Any text. */
                readonly name: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly quota_class: components["schemas"]["QuotaClass"];
                    };
                };
            };
        };
    };
    readonly updateQuotaClass: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description Any text. */
                readonly name: string;
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly quota_class: components["schemas"]["QuotaChange"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly quota_class: components["schemas"]["QuotaLimits"];
                    };
                };
            };
        };
    };
    readonly getQuota: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The project whose quota it is. */
                readonly quota_project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly quota: components["schemas"]["Quota"];
                    };
                };
            };
        };
    };
    readonly updateQuota: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The project whose quota it is. */
                readonly quota_project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly quota: components["schemas"]["QuotaChange"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly quota: components["schemas"]["QuotaLimits"];
                    };
                };
            };
        };
    };
    readonly deleteQuota: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The project whose quota it is. */
                readonly quota_project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Done; the body is empty. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly getQuotaDefaults: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The project whose quota it is. */
                readonly quota_project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly quota: components["schemas"]["Quota"];
                    };
                };
            };
        };
    };
    readonly getQuotaDetail: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The project whose quota it is. */
                readonly quota_project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly quota: components["schemas"]["QuotaDetail"];
                    };
                };
            };
        };
    };
    readonly listRestores: {
        readonly parameters: {
            readonly query?: {
                /** @description Boolean text; every project, for administrators. */
                readonly all_tenants?: string;
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description Items to skip. */
                readonly offset?: number;
                /** @description With `all_tenants`, for administrators: this project alone. */
                readonly project_id?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
                /** @description The status, exactly. */
                readonly status?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly restores: readonly components["schemas"]["Restore"][];
                        /** @description The next page. Absent when there is none. */
                        readonly restores_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly createRestore: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly restore: components["schemas"]["NewRestore"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly restore: components["schemas"]["Restore"];
                    };
                };
            };
        };
    };
    readonly getRestore: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The restore's id. */
                readonly restore_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly restore: components["schemas"]["Restore"];
                    };
                };
            };
        };
    };
    readonly listScheduledOperations: {
        readonly parameters: {
            readonly query?: {
                /** @description Boolean text; every project, for administrators. */
                readonly all_tenants?: string;
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description Part of the name, or a regular expression. */
                readonly name?: string;
                /** @description Part of the stored definition, such as a plan id, or a regular expression. */
                readonly operation_definition?: string;
                /** @description The type, exactly. */
                readonly operation_type?: string;
                /** @description With `all_tenants`, for administrators: this project alone. */
                readonly project_id?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
                /** @description The trigger, exactly. */
                readonly trigger_id?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly operations: readonly components["schemas"]["ScheduledOperation"][];
                        /** @description The next page. Absent when there is none. */
                        readonly operations_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly createScheduledOperation: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly scheduled_operation: components["schemas"]["NewScheduledOperation"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly scheduled_operation: components["schemas"]["ScheduledOperation"];
                    };
                };
            };
        };
    };
    readonly getScheduledOperation: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The scheduled operation's id. */
                readonly scheduled_operation_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly scheduled_operation: components["schemas"]["ScheduledOperation"];
                    };
                };
            };
        };
    };
    readonly deleteScheduledOperation: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The scheduled operation's id. */
                readonly scheduled_operation_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Done; the body is empty. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly previewRetention: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The scheduled operation's id. */
                readonly scheduled_operation_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly verdicts: readonly components["schemas"]["RetentionVerdict"][];
                    };
                };
            };
        };
    };
    readonly listScheduledRuns: {
        readonly parameters: {
            readonly query?: {
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
                /** @description The state, exactly. */
                readonly state?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The scheduled operation's id. */
                readonly scheduled_operation_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly runs: readonly components["schemas"]["ScheduledRun"][];
                        /** @description The next page. Absent when there is none. */
                        readonly runs_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly listTriggers: {
        readonly parameters: {
            readonly query?: {
                /** @description Boolean text; every project, for administrators. */
                readonly all_tenants?: string;
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description Part of the name, or a regular expression. */
                readonly name?: string;
                /** @description With `all_tenants`, for administrators: this project alone. */
                readonly project_id?: string;
                /** @description Part of the stored properties, or a regular expression. */
                readonly properties?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
                /** @description The type, exactly. */
                readonly type?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly triggers: readonly components["schemas"]["Trigger"][];
                        /** @description The next page. Absent when there is none. */
                        readonly triggers_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly createTrigger: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly trigger_info: components["schemas"]["NewTrigger"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly trigger_info: components["schemas"]["Trigger"];
                    };
                };
            };
        };
    };
    readonly getTrigger: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The trigger's id. */
                readonly trigger_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly trigger_info: components["schemas"]["Trigger"];
                    };
                };
            };
        };
    };
    readonly updateTrigger: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The trigger's id. */
                readonly trigger_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly trigger_info: components["schemas"]["TriggerChange"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly trigger_info: components["schemas"]["Trigger"];
                    };
                };
            };
        };
    };
    readonly deleteTrigger: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The trigger's id. */
                readonly trigger_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Done; the body is empty. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    readonly listVerifications: {
        readonly parameters: {
            readonly query?: {
                /** @description Boolean text; every project, for administrators. */
                readonly all_tenants?: string;
                /** @description Page size; more than the server allows is reduced to what it allows. */
                readonly limit?: number;
                /** @description Id of the last item of the page before. */
                readonly marker?: string;
                /** @description Items to skip. */
                readonly offset?: number;
                /** @description With `all_tenants`, for administrators: this project alone. */
                readonly project_id?: string;
                /** @description Comma list of `key[:asc|desc]`; default `created_at:desc`. */
                readonly sort?: string;
                /** @description Older form of `sort`: `asc` or `desc`. */
                readonly sort_dir?: string;
                /** @description Older form of `sort`: one key. */
                readonly sort_key?: string;
                /** @description The status, exactly. */
                readonly status?: string;
            };
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly verifications: readonly components["schemas"]["Verification"][];
                        /** @description The next page. Absent when there is none. */
                        readonly verifications_links?: readonly components["schemas"]["Link"][];
                    };
                };
            };
        };
    };
    readonly createVerification: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": {
                    readonly verification: components["schemas"]["NewVerification"];
                };
            };
        };
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly verification: components["schemas"]["Verification"];
                    };
                };
            };
        };
    };
    readonly getVerification: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The project; it has to be the token's. */
                readonly project_id: string;
                /** @description The verification's id. */
                readonly verification_id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description Success. */
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        readonly verification: components["schemas"]["Verification"];
                    };
                };
            };
        };
    };
}

/** Operation → method, path, what a good answer holds. */
export const places = {
  listVersions: ['GET', '/', 'json'],
  getHealth: ['GET', '/healthz', 'json'],
  getDocument: ['GET', '/openapi.json', 'json'],
  getReadiness: ['GET', '/readyz', 'json'],
  getVersion: ['GET', '/v1', 'json'],
  listOperationLogs: ['GET', '/v1/{project_id}/operation_logs', 'json'],
  getOperationLog: ['GET', '/v1/{project_id}/operation_logs/{operation_log_id}', 'json'],
  listServices: ['GET', '/v1/{project_id}/os-services', 'json'],
  updateService: ['PUT', '/v1/{project_id}/os-services/{service_id}', 'json'],
  listPlans: ['GET', '/v1/{project_id}/plans', 'json'],
  createPlan: ['POST', '/v1/{project_id}/plans', 'json'],
  deletePlan: ['DELETE', '/v1/{project_id}/plans/{plan_id}', 'empty'],
  getPlan: ['GET', '/v1/{project_id}/plans/{plan_id}', 'json'],
  updatePlan: ['PUT', '/v1/{project_id}/plans/{plan_id}', 'json'],
  listProtectableTypes: ['GET', '/v1/{project_id}/protectables', 'json'],
  getProtectableType: ['GET', '/v1/{project_id}/protectables/{protectable_type}', 'json'],
  listProtectableInstances: ['GET', '/v1/{project_id}/protectables/{protectable_type}/instances', 'json'],
  getProtectableInstance: ['GET', '/v1/{project_id}/protectables/{protectable_type}/instances/{instance_id}', 'json'],
  listProviders: ['GET', '/v1/{project_id}/providers', 'json'],
  getProvider: ['GET', '/v1/{project_id}/providers/{provider_id}', 'json'],
  listCheckpoints: ['GET', '/v1/{project_id}/providers/{provider_id}/checkpoints', 'json'],
  createCheckpoint: ['POST', '/v1/{project_id}/providers/{provider_id}/checkpoints', 'json'],
  createCopy: ['POST', '/v1/{project_id}/providers/{provider_id}/checkpoints/action', 'json'],
  deleteCheckpoint: ['DELETE', '/v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}', 'json'],
  getCheckpoint: ['GET', '/v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}', 'json'],
  resetCheckpoint: ['PUT', '/v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}', 'json'],
  undeleteCheckpoint: ['POST', '/v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/action', 'json'],
  listContents: ['GET', '/v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/resources/{resource_id}/entries', 'json'],
  getContentsFile: ['GET', '/v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/resources/{resource_id}/file', 'bytes'],
  getContentsRaw: ['GET', '/v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/resources/{resource_id}/raw', 'bytes'],
  getContentsTar: ['GET', '/v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/resources/{resource_id}/tar', 'bytes'],
  listGarbageCollections: ['GET', '/v1/{project_id}/providers/{provider_id}/gc', 'json'],
  createGarbageCollection: ['POST', '/v1/{project_id}/providers/{provider_id}/gc', 'json'],
  getGarbageCollection: ['GET', '/v1/{project_id}/providers/{provider_id}/gc/{gc_id}', 'json'],
  getQuotaClass: ['GET', '/v1/{project_id}/quota_classes/{name}', 'json'],
  updateQuotaClass: ['PUT', '/v1/{project_id}/quota_classes/{name}', 'json'],
  deleteQuota: ['DELETE', '/v1/{project_id}/quotas/{quota_project_id}', 'empty'],
  getQuota: ['GET', '/v1/{project_id}/quotas/{quota_project_id}', 'json'],
  updateQuota: ['PUT', '/v1/{project_id}/quotas/{quota_project_id}', 'json'],
  getQuotaDefaults: ['GET', '/v1/{project_id}/quotas/{quota_project_id}/defaults', 'json'],
  getQuotaDetail: ['GET', '/v1/{project_id}/quotas/{quota_project_id}/detail', 'json'],
  listRestores: ['GET', '/v1/{project_id}/restores', 'json'],
  createRestore: ['POST', '/v1/{project_id}/restores', 'json'],
  getRestore: ['GET', '/v1/{project_id}/restores/{restore_id}', 'json'],
  listScheduledOperations: ['GET', '/v1/{project_id}/scheduled_operations', 'json'],
  createScheduledOperation: ['POST', '/v1/{project_id}/scheduled_operations', 'json'],
  deleteScheduledOperation: ['DELETE', '/v1/{project_id}/scheduled_operations/{scheduled_operation_id}', 'empty'],
  getScheduledOperation: ['GET', '/v1/{project_id}/scheduled_operations/{scheduled_operation_id}', 'json'],
  previewRetention: ['GET', '/v1/{project_id}/scheduled_operations/{scheduled_operation_id}/retention', 'json'],
  listScheduledRuns: ['GET', '/v1/{project_id}/scheduled_operations/{scheduled_operation_id}/runs', 'json'],
  listTriggers: ['GET', '/v1/{project_id}/triggers', 'json'],
  createTrigger: ['POST', '/v1/{project_id}/triggers', 'json'],
  deleteTrigger: ['DELETE', '/v1/{project_id}/triggers/{trigger_id}', 'empty'],
  getTrigger: ['GET', '/v1/{project_id}/triggers/{trigger_id}', 'json'],
  updateTrigger: ['PUT', '/v1/{project_id}/triggers/{trigger_id}', 'json'],
  listVerifications: ['GET', '/v1/{project_id}/verifications', 'json'],
  createVerification: ['POST', '/v1/{project_id}/verifications', 'json'],
  getVerification: ['GET', '/v1/{project_id}/verifications/{verification_id}', 'json'],
} as const;
