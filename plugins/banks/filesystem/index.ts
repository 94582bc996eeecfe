import { defineBankPlugin } from 'karri/plugin';
import Type from 'typebox';
import { openFilesystemStore } from './filesystem-store.ts';

export default defineBankPlugin({
  name: 'filesystem',
  configSchema: Type.Object(
    {
      path: Type.String({
        minLength: 1,
        description: 'Folder that holds the bank; made when its parent exists. Relative to the provider file.',
      }),
    },
    { additionalProperties: false },
  ),
  listOwnFolders: (config, context) => [context.resolvePath(config.path)],
  open: (config, context) => openFilesystemStore(context.resolvePath(config.path)),
});
