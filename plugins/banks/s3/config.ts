import Type, { type Static } from 'typebox';

export const configSchema = Type.Object(
  {
    endpoint: Type.Optional(
      Type.String({ pattern: '^https?://[^/@]+/?$', description: 'http://host:port or https://host; absent for AWS itself' }),
    ),
    region: Type.Optional(Type.String({ minLength: 1, description: 'default us-east-1' })),
    bucket: Type.String({ minLength: 3, maxLength: 255 }),
    prefix: Type.Optional(
      Type.String({ description: 'Folder of the bucket that is the bank, without slashes at its ends; default none' }),
    ),
    path_style: Type.Optional(
      Type.Boolean({ description: 'bucket in the path instead of the host name; default true with an endpoint' }),
    ),
    credentials_file: Type.Optional(
      Type.String({ minLength: 1, description: 'A file of two lines: access_key: …, secret_key: …' }),
    ),
    access_key_env: Type.Optional(Type.String({ minLength: 1, description: 'Environment variable that holds the access key' })),
    secret_key_env: Type.Optional(Type.String({ minLength: 1, description: 'Environment variable that holds the secret key' })),
    create_bucket: Type.Optional(Type.Boolean({ description: 'Make the bucket when it is absent; default false' })),
    payload_signing: Type.Optional(
      Type.Union([Type.Literal('unsigned'), Type.Literal('signed')], {
        description: 'Sign a digest of every body; default unsigned over TLS and loopback, signed elsewhere',
      }),
    ),
    timeout_seconds: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: 'A connection attempt, or a connection on which nothing moves, ends after this; default 60',
      }),
    ),
  },
  { additionalProperties: false },
);

export type S3Config = Static<typeof configSchema>;
