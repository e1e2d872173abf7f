/** No text makes the reader of the configuration throw, and every problem can be said on one line. */
import assert from 'node:assert/strict';
import { fromUtf8, utf8 } from '../base/bytes.ts';
import { formatProblem, parseConfig } from './config.ts';

export const covers: RegExp = /\/src\/config\//;

export const seeds: readonly Uint8Array[] = [
  'hostname = "mail.example.org"\ndataDirectory = "/x"\n[tls]\nselfSigned = true\n',
  'tls = { certificateFile = "a", keyFile = \'b\' }\n[listeners]\nsmtp.addresses = ["::1"]\n',
  '[queue]\nretryAfterSeconds = [1, 2, 3]\n[resolver]\nservers = ["[::1]:53"]\n[[routes]]\nname = "x"\nfallback = """a"""\n',
].map(fromUtf8);

export function fuzz(octets: Uint8Array): void {
  const result = parseConfig(utf8(octets));
  if (result.ok) return;
  assert.ok(result.error.length > 0);
  for (const problem of result.error) assert.doesNotMatch(formatProblem(problem), /[\r\n]/);
}
