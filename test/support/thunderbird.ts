/**
 * Thunderbird without a window, on a profile of its own, whose user is `thunderbird-user.mjs`: that module runs inside of
 * it and does by Thunderbird's own interfaces what a person does by hand.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { freePort } from './free-port.ts';
import { Marionette } from './marionette.ts';

const START_MS = 90_000;
/** Longer than anything that the user waits for, which says what it was that did not come. */
const ACTION_MS = 120_000;
/** Of its log, in the message of a failure. */
const SAID_MAX = 3000;
const SUPPORT = pathToFileURL(`${import.meta.dirname}/`).href;

export type Thunderbird = AsyncDisposable & {
  /** Lets the user do something: a function that `thunderbird-user.mjs` exports. */
  do(action: string, ...values: readonly unknown[]): Promise<unknown>;
  /** Waits until its log of all that it and the server say over IMAP has the pattern. */
  logged(pattern: RegExp): Promise<void>;
};

export async function startThunderbird(program: string): Promise<Thunderbird> {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-thunderbird-'));
  const port = await freePort();
  await writeFile(
    join(directory, 'user.js'),
    Object.entries({ ...SETTINGS, 'marionette.port': port })
      .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
      .join(''),
  );
  const child = spawn(
    program,
    [
      '--headless',
      '--no-remote',
      '--profile',
      directory,
      '--marionette',
      // Without it Marionette reaches the pages only, not the program.
      '--remote-allow-system-access',
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        HOME: directory,
        LC_ALL: 'C.UTF-8',
        MOZ_LOG: 'sync,IMAP:4',
        MOZ_LOG_FILE: join(directory, 'imap'),
      },
    },
  );
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const gone = new AbortController();
  child.once('exit', () => gone.abort());
  child.once('error', (cause) => gone.abort(cause));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    // Its other processes end by themselves when it does, and 'close' comes when the last one let go of its output.
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  const imapLog = async (): Promise<string> => readFile(join(directory, 'imap.moz_log'), 'latin1');
  try {
    const marionette = await Marionette.connect(
      port,
      AbortSignal.any([gone.signal, AbortSignal.timeout(START_MS)]),
    );
    await marionette.send('WebDriver:NewSession', {});
    await marionette.send('Marionette:SetContext', { value: 'chrome' });
    await marionette.send('WebDriver:SetTimeouts', { script: ACTION_MS });
    return {
      do: async (action, ...values) => {
        const script = { script: DO, args: [SUPPORT, action, values] };
        const answer = await marionette.send('WebDriver:ExecuteScript', script).catch(async (cause) => {
          const said = (await imapLog()).slice(-SAID_MAX);
          throw new Error(`Thunderbird did not ${action}; it said last over IMAP:\n${said}`, { cause });
        });
        return (answer as { value: unknown }).value;
      },
      logged: async (pattern) => {
        const end = Date.now() + ACTION_MS;
        while (!pattern.test(await imapLog())) {
          if (Date.now() > end) throw new Error(`Thunderbird did not log ${pattern}`);
          await setTimeout(50);
        }
      },
      [Symbol.asyncDispose]: async () => {
        marionette[Symbol.dispose]();
        await kill();
      },
    };
  } catch (cause) {
    await kill();
    throw new Error(`Thunderbird did not start; it said:\n${output}`, { cause });
  }
}

/** The folder of the user's module is known to Thunderbird as `resource://postrider/`: of files it takes no modules. */
const DO = `
  const [support, action, values] = arguments;
  const handler = Services.io.getProtocolHandler('resource').QueryInterface(Ci.nsIResProtocolHandler);
  if (!handler.hasSubstitution('postrider')) handler.setSubstitution('postrider', Services.io.newURI(support));
  return ChromeUtils.importESModule('resource://postrider/thunderbird-user.mjs')[action](...values);
`;

/** Nothing of itself: no wizard, no call home, no mail fetched unless the user asks or the server says so. */
const SETTINGS = {
  'mail.provider.suppress_dialog_on_startup': true,
  'mail.spotlight.firstRunDone': true,
  'mail.rights.version': 1,
  'mail.startup.enabledMailCheckOnce': true,
  'mailnews.database.global.indexer.enabled': false,
  'mail.server.default.autosync_offline_stores': false,
  'app.donation.eoy.version.viewed': 999,
  'datareporting.policy.dataSubmissionEnabled': false,
  // All that it would fetch from the web goes to a port of this machine at which nobody listens.
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
};
