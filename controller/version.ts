// The version of this Fairlead, from package.json: for --version, the log and the metrics.
import manifest from '../package.json' with { type: 'json' };

export const VERSION: string = manifest.version;
