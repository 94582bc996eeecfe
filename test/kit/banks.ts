import type { S3Config } from '../../plugins/banks/s3/config.ts';
import { openS3Store } from '../../plugins/banks/s3/s3-store.ts';
import type { PluginContext } from '../../src/plugin/define.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { pluginContext } from './plugin-context.ts';
import type { Credentials } from './s3-signature.ts';

/** What a bank plugin is opened with in tests: an environment of these variables alone. */
export function testContext(environment: Readonly<Record<string, string>> = {}): PluginContext {
  return { ...pluginContext([]), readEnvironment: (name) => environment[name] };
}

/** An S3 bank at this server, in the bucket `karri`, made when absent. */
export function openTestS3(
  server: { readonly endpoint: string; readonly credentials: Credentials },
  config: Partial<S3Config> = {},
): Promise<ObjectStore> {
  const { accessKey, secretKey } = server.credentials;
  return openS3Store(
    {
      endpoint: server.endpoint,
      bucket: 'karri',
      create_bucket: true,
      access_key_env: 'ACCESS',
      secret_key_env: 'SECRET',
      ...config,
    },
    testContext({ ACCESS: accessKey, SECRET: secretKey }),
  );
}
