import { defineBankPlugin } from 'karri/plugin';
import { configSchema } from './config.ts';

export default defineBankPlugin({
  name: 's3',
  configSchema,
  open: async (config, context) => {
    // The SDK takes 150 ms to load; who has no S3 bank never pays for it.
    const { openS3Store } = await import('./s3-store.ts');
    return openS3Store(config, context);
  },
});
