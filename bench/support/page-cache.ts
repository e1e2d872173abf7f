/** Puts the files of one server out of the system's page cache, and of nobody else. */
import { run } from '../../test/support/command.ts';

/** What is not on the disk yet must go there first: pages that are dirty stay. */
const SCRIPT = `
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.isfile(path) or os.path.islink(path): continue
        try: file = os.open(path, os.O_RDONLY)
        except OSError: continue
        os.fdatasync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)
`;

/** False where Python is not there to do it. */
export async function dropPages(directory: string): Promise<boolean> {
  const done = await run('python3', ['-c', SCRIPT, directory]).catch(() => undefined);
  return done?.code === 0;
}
