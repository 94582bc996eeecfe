import { Fault } from '../base/faults.ts';
import { isUuidLike } from '../base/ids.ts';
import type { Parameters } from '../model/resource.ts';
import type { OpenProvider } from './provider-registry.ts';

/**
 * The names in `parameters` must be among those the plugin published for the type. A type the provider has no plugin for
 * is let through unread, as in Karbor. Values are the plugin's own business.
 *
 * @throws {Fault} invalid `parameters.bad_key`, `parameters.unknown_option`
 */
export function checkParameters(provider: OpenProvider, parameters: Parameters, which: 'options' | 'restore' | 'verify'): void {
  for (const [key, values] of Object.entries(parameters)) {
    const [type = '', id] = key.split('#', 2);
    if (id !== undefined && !isUuidLike(id)) {
      throw new Fault('invalid', 'parameters.bad_key', `parameters: the part after # in ${key} must be a UUID.`, {
        details: { field: `parameters.${key}` },
      });
    }
    const schema = provider.findProtection(type)?.schemas[which];
    if (!schema) continue;
    for (const name of Object.keys(values)) {
      if (Object.hasOwn(schema.properties, name)) continue;
      const known = Object.keys(schema.properties);
      throw new Fault('invalid', 'parameters.unknown_option', `parameters: ${key} has no option ${name}.`, {
        details: { field: `parameters.${key}.${name}` },
        help: known.length > 0 ? `Known here: ${known.join(', ')}.` : 'This type takes none.',
      });
    }
  }
}
