/** The version of this program, as package.json says it. */
import packageFile from '../../package.json' with { type: 'json' };

export const VERSION: string = packageFile.version;
