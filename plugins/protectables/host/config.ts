import { type Static, Type } from 'typebox';

/** A name that can stand as one entry of a folder, and that a listing would show. */
const volumeName = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^/.\\u0000][^/\\u0000]*$' });

/**
 * Volumes outside the roots, by name. One list may be given to every host plugin: each takes the entries of its own type.
 * Block devices are volumes only when they are named here.
 */
export const namedVolumes = Type.Array(
  Type.Object({
    name: volumeName,
    path: Type.String({ minLength: 1, description: 'Absolute, or relative to the configuration file.' }),
    type: Type.Union([Type.Literal('Host::Directory'), Type.Literal('Host::Block')]),
  }),
);

export type NamedVolume = Static<typeof namedVolumes>[number];
export type HostType = NamedVolume['type'];
