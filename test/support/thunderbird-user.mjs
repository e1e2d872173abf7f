/**
 * Runs inside of Thunderbird: what its user does, by the interfaces that its windows use. Each action ends when
 * Thunderbird says that it is done, or fails with what Thunderbird would have told its user.
 */
import { AccountConfig } from 'resource:///modules/accountcreation/AccountConfig.sys.mjs';
import { CreateInBackend } from 'resource:///modules/accountcreation/CreateInBackend.sys.mjs';
import { MailServices } from 'resource:///modules/MailServices.sys.mjs';
import { clearTimeout, setTimeout } from 'resource://gre/modules/Timer.sys.mjs';

const { Cc, ChromeUtils, Ci, Components, Services } = globalThis;

const HOST = '127.0.0.1';
const COME_MS = 60_000;
const POLL_MS = 50;

/** What would have been shown in windows, which nobody would close. */
const alerts = [];
MailServices.mailSession.addUserFeedbackListener({
  QueryInterface: ChromeUtils.generateQI(['nsIMsgUserFeedbackListener']),
  onAlert: (message) => {
    alerts.push(message);
    return true;
  },
  onCertError: (_securityInfo, url) => {
    alerts.push(`the certificate of ${url.spec} is not trusted`);
    return true;
  },
});

/** Waits until `look` gives something, and gives that. */
async function comes(what, look) {
  const end = Date.now() + COME_MS;
  for (;;) {
    const found = look();
    if (found) return found;
    if (Date.now() > end) throw new Error(failure(`${what} did not come`));
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Starts something that tells a listener of its end, by `ended(status)`. */
async function ends(what, start) {
  const status = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(failure(`${what} did not end`))), COME_MS);
    start((code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
  if (!Components.isSuccessCode(status))
    throw new Error(failure(`${what} ended with 0x${status.toString(16)}`));
}

function failure(what) {
  return alerts.length === 0 ? what : `${what}; it said: ${alerts.join(' | ')}`;
}

function account() {
  return MailServices.accounts.defaultAccount;
}

function folders() {
  return account().incomingServer.rootFolder.descendants;
}

function folderOf(name) {
  const found = folders().find((folder) => folder.onlineName === name);
  if (found === undefined) throw new Error(failure(`There is no folder ${name}`));
  return found;
}

function messageOf(folder, subject) {
  return [...folder.messages].find((message) => message.mime2DecodedSubject === subject);
}

/** Makes the account as the last page of the account's set-up does, once the exceptions for the certificate are made. */
export async function setUp({ address, password, imapPort, smtpPort, certificate }) {
  const database = Cc['@mozilla.org/security/x509certdb;1'].getService(Ci.nsIX509CertDB);
  const overrides = Cc['@mozilla.org/security/certoverride;1'].getService(Ci.nsICertOverrideService);
  for (const port of [imapPort, smtpPort])
    overrides.rememberValidityOverride(HOST, port, {}, database.constructX509FromBase64(certificate), false);
  const config = new AccountConfig();
  const common = {
    hostname: HOST,
    username: address,
    password,
    socketType: Ci.nsMsgSocketType.SSL,
    auth: Ci.nsMsgAuthMethod.passwordCleartext,
  };
  Object.assign(config.incoming, common, { type: 'imap', port: imapPort });
  Object.assign(config.outgoing, common, { type: 'smtp', port: smtpPort });
  config.identity.realname = 'Alice';
  config.identity.emailAddress = address;
  config.displayName = address;
  config.rememberPassword = true;
  const made = await CreateInBackend.createAccountInBackend(config);
  // What comes in is noticed because the server says so in IDLE, not by asking every few minutes.
  made.incomingServer.doBiff = false;
}

/** Opens a folder and waits until so many messages are in it. Gives their subjects. */
export async function open(name, count) {
  const folder = folderOf(name);
  folder.updateFolder(null);
  await comes(`${count} messages in ${name}`, () => [...folder.messages].length >= count);
  return [...folder.messages].map((message) => message.mime2DecodedSubject);
}

/** Waits until so many folders are there and have uses. Gives the uses that Thunderbird took from the server's list. */
export async function listFolders(count) {
  const uses = {
    Inbox: Ci.nsMsgFolderFlags.Inbox,
    Sent: Ci.nsMsgFolderFlags.SentMail,
    Drafts: Ci.nsMsgFolderFlags.Drafts,
    Trash: Ci.nsMsgFolderFlags.Trash,
    Junk: Ci.nsMsgFolderFlags.Junk,
    Archive: Ci.nsMsgFolderFlags.Archive,
  };
  const usesOf = (folder) => Object.keys(uses).filter((use) => folder.getFlag(uses[use]));
  await comes(
    `${count} folders with a use`,
    () => folders().filter((folder) => usesOf(folder).length > 0).length >= count,
  );
  return Object.fromEntries(folders().map((folder) => [folder.onlineName, usesOf(folder)]));
}

/** Waits, and does nothing, until a message is in a folder that is open. */
export async function notice(name, subject) {
  await comes(`"${subject}" in ${name}`, () => messageOf(folderOf(name), subject));
}

/** Keeps every message of a folder on this machine. */
export async function download(name) {
  const folder = folderOf(name);
  folder.downloadAllForOffline(null, null);
  await comes(`all of ${name}`, () =>
    [...folder.messages].every((message) => folder.hasMsgOffline(message.messageKey)),
  );
}

/** Goes offline, reads a message, and goes online again. Gives its octets as Latin-1, or undefined if it is not at hand. */
export async function readOffline(name, subject) {
  const folder = folderOf(name);
  const uri = folder.getUriForMsg(messageOf(folder, subject));
  let text = '';
  Services.io.offline = true;
  try {
    const status = await new Promise((resolve) => {
      const listener = {
        QueryInterface: ChromeUtils.generateQI(['nsIStreamListener', 'nsIRequestObserver']),
        onStartRequest: () => undefined,
        onDataAvailable: (_request, input, _offset, count) => {
          const binary = Cc['@mozilla.org/binaryinputstream;1'].createInstance(Ci.nsIBinaryInputStream);
          binary.setInputStream(input);
          text += binary.readBytes(count);
        },
        onStopRequest: (_request, code) => resolve(code),
      };
      try {
        MailServices.messageServiceFromURI(uri).streamMessage(uri, listener, null, null, false, '');
      } catch (cause) {
        resolve(cause.result);
      }
    });
    return Components.isSuccessCode(status) && text !== '' ? text : undefined;
  } finally {
    Services.io.offline = false;
  }
}

export async function move(from, subject, to) {
  const source = folderOf(from);
  const message = messageOf(source, subject);
  await ends(`Moving "${subject}"`, (ended) =>
    MailServices.copy.copyMessages(
      source,
      [message],
      folderOf(to),
      true,
      {
        QueryInterface: ChromeUtils.generateQI(['nsIMsgCopyServiceListener']),
        onStartCopy: () => undefined,
        onProgress: () => undefined,
        setMessageKey: () => undefined,
        getMessageId: () => null,
        onStopCopy: ended,
      },
      null,
      false,
    ),
  );
}

export function flag(name, subject) {
  const folder = folderOf(name);
  folder.markMessagesFlagged([messageOf(folder, subject)], true);
}

/** Searches on the server. Gives the subjects found. @param attribute `Subject` or `Body` */
export async function search(name, attribute, words) {
  const session = Cc['@mozilla.org/messenger/searchSession;1'].createInstance(Ci.nsIMsgSearchSession);
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folderOf(name));
  const term = session.createTerm();
  term.attrib = Ci.nsMsgSearchAttrib[attribute];
  term.op = Ci.nsMsgSearchOp.Contains;
  const value = term.value;
  value.attrib = term.attrib;
  value.str = words;
  term.value = value;
  session.appendTerm(term);
  const found = [];
  await ends(`Searching ${attribute}`, (ended) => {
    session.registerListener({
      QueryInterface: ChromeUtils.generateQI(['nsIMsgSearchNotify']),
      onNewSearch: () => undefined,
      onSearchHit: (message) => found.push(message.mime2DecodedSubject),
      onSearchDone: ended,
    });
    session.search(null);
  });
  return found;
}

/** Sends a message that was written in a window; ends when the copy is in Sent. */
export async function send({ to, subject, body }) {
  const fields = Cc['@mozilla.org/messengercompose/composefields;1'].createInstance(Ci.nsIMsgCompFields);
  fields.from = account().defaultIdentity.email;
  fields.to = to;
  fields.subject = subject;
  fields.useMultipartAlternative = false;
  await ends(`Sending "${subject}"`, (ended) => {
    const sending = Cc['@mozilla.org/messengercompose/send;1'].createInstance(Ci.nsIMsgSend);
    sending
      .createAndSendMessage(
        null,
        account().defaultIdentity,
        account().key,
        fields,
        false,
        false,
        Ci.nsIMsgSend.nsMsgDeliverNow,
        null,
        'text/plain',
        body,
        null,
        null,
        {
          QueryInterface: ChromeUtils.generateQI(['nsIMsgSendListener', 'nsIMsgCopyServiceListener']),
          onStartSending: () => undefined,
          onSendProgress: () => undefined,
          onProgress: () => undefined,
          onStatus: () => undefined,
          onStopSending: (_id, status) => {
            if (!Components.isSuccessCode(status)) ended(status);
          },
          onTransportSecurityError: (_id, status) => ended(status),
          onGetDraftFolderURI: () => undefined,
          onSendNotPerformed: (_id, status) => ended(status),
          onStartCopy: () => undefined,
          setMessageKey: () => undefined,
          getMessageId: () => null,
          onStopCopy: ended,
        },
        '',
        null,
        Ci.nsIMsgCompType.New,
      )
      .catch((cause) => ended(cause?.result ?? Components.results.NS_ERROR_FAILURE));
  });
}
