import { systemClock } from '../../base/clock.ts';
import { bad } from '../../config/setting.ts';
import { settings } from '../../config/settings.ts';
import { createThrottle, type Throttle } from '../../storage/throttled.ts';
import { UsageError } from './command.ts';

/** The limits of one command, written as the service's settings are. @throws UsageError */
export function readThrottle(up: string | undefined, down: string | undefined): Throttle {
  const read = (name: 'uploadLimit' | 'downloadLimit', option: string, text = ''): number | undefined => {
    const { parse, allowed, variable } = settings[name];
    const rate = parse(text);
    if (rate === bad) throw new UsageError(`${option} (or ${variable}) is "${text}"; it must be ${allowed}.`);
    return rate;
  };
  const limits = {
    uploadBytesPerSecond: read('uploadLimit', '--limit-up', up),
    downloadBytesPerSecond: read('downloadLimit', '--limit-down', down),
  };
  return createThrottle(limits, systemClock);
}
