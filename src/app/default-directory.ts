/** Where `postrider localserve` keeps its data between runs when nobody says where: the user's state directory. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

export function defaultDirectory(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const stateHome = environment['XDG_STATE_HOME'];
  // The XDG base directory specification: a relative path is to be ignored.
  if (stateHome !== undefined && isAbsolute(stateHome)) return join(stateHome, 'postrider', 'localserve');
  return platform === 'darwin'
    ? join(homedir(), 'Library', 'Application Support', 'Postrider', 'localserve')
    : join(homedir(), '.local', 'state', 'postrider', 'localserve');
}
