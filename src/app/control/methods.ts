/**
 * Everything that can be asked of a post office from outside its protocols, once: name, parameters, result. The control
 * socket of a running server answers from this table, and so does a command that opens a stopped one's data by itself.
 */
import type { Account, AliasChange, DirectoryProblem } from '../../auth/directory.ts';
import { isScope } from '../../auth/directory-rules.ts';
import type { Scope } from '../../auth/principal.ts';
import { LIMITS } from '../../base/limits.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { MailStore } from '../../store/mail-store.ts';
import { BadRequest } from './fields.ts';
import type { Fields } from './fields.ts';
import { directoryProblem } from './problem.ts';
import type { ControlProblem } from './problem.ts';
import { QUEUE_METHODS } from './queue-methods.ts';
import { RECIPIENT_METHODS } from './recipient-methods.ts';
import type { RecipientMethods } from './recipient-methods.ts';
import { ROUTE_METHODS } from './route-methods.ts';
import type { RouteControlPorts, RouteMethods } from './route-methods.ts';
import { SEARCH_METHODS } from './search-methods.ts';
import type { SearchControlPorts, SearchMethods } from './search-methods.ts';
import { SHARE_METHODS } from './share-methods.ts';
import type { ShareMethods } from './share-methods.ts';
import { SRS_METHODS } from './srs-methods.ts';
import { SENDING_METHODS } from './sending-methods.ts';
import { SIMULATE_METHODS } from './simulate-methods.ts';
import type { SimulateControlPorts, SimulateMethods } from './simulate-methods.ts';
import type { SendingMethods } from './sending-methods.ts';
import type { SrsMethods } from './srs-methods.ts';
import type { QueueControlPorts, QueueMethods } from './queue-methods.ts';
import type { QueueCount } from './queue-view.ts';
import { TLS_METHODS } from './tls-methods.ts';
import { TRACE_METHODS } from './trace-methods.ts';
import type { TraceControlPorts, TraceMethods } from './trace-methods.ts';
import type { TlsControlPorts, TlsMethods } from './tls-methods.ts';
import { viewAccount } from './view.ts';
import type {
  AccountView,
  AliasView,
  AppPasswordView,
  CertificateView,
  DomainView,
  ServerStatus,
  SignInView,
} from './view.ts';

type Page = { readonly after?: string; readonly limit?: number };
type None = Readonly<Record<string, never>>;
type Named = { readonly address: string };

/** Each method with what it takes and what it gives. */
export type ControlMethods = QueueMethods &
  RecipientMethods &
  RouteMethods &
  SearchMethods &
  SrsMethods &
  SendingMethods &
  ShareMethods &
  SimulateMethods &
  TlsMethods &
  TraceMethods & {
    'domain.list': { params: None; result: { readonly domains: readonly DomainView[] } };
    'domain.add': { params: { readonly name: string }; result: { readonly domain: DomainView } };
    'domain.remove': { params: { readonly name: string }; result: None };
    'account.list': {
      params: Page & { /** Only those that SCRAM waits for. */ readonly withoutScram?: boolean };
      result: { readonly accounts: readonly AccountView[] };
    };
    'account.show': {
      params: Named;
      result: {
        readonly account: AccountView;
        readonly octetsUsed: number;
        readonly messagesUsed: number;
        readonly signIn: SignInView;
      };
    };
    'account.add': {
      params: Named & {
        readonly password?: string;
        readonly displayName?: string;
        readonly quotaOctets?: number;
      };
      result: { readonly account: AccountView };
    };
    /** Its mail goes with it. */
    'account.remove': { params: Named; result: None };
    'account.set': {
      params: Named & {
        readonly password?: string;
        readonly displayName?: string;
        readonly disabled?: boolean;
        /** `null`: no limit. */
        readonly quotaOctets?: number | null;
      };
      result: { readonly account: AccountView };
    };
    'app-password.list': { params: Named; result: { readonly appPasswords: readonly AppPasswordView[] } };
    'app-password.add': {
      params: Named & { readonly name: string; readonly scopes: readonly Scope[] };
      /** The only time that it is shown. */
      result: { readonly secret: string };
    };
    'app-password.remove': { params: Named & { readonly name: string }; result: None };
    'certificate.list': { params: Named; result: { readonly certificates: readonly CertificateView[] } };
    'certificate.add': {
      params: Named & { readonly fingerprint: string };
      result: { readonly certificate: CertificateView };
    };
    'certificate.remove': { params: Named & { readonly fingerprint: string }; result: None };
    'alias.list': { params: Page; result: { readonly aliases: readonly AliasView[] } };
    /** Refused where the alias exists. */
    'alias.add': {
      params: Named & AliasChange & { readonly targets: readonly string[] };
      result: { readonly alias: AliasView };
    };
    'alias.set': {
      params: Named & AliasChange & { readonly targets: readonly string[] };
      result: { readonly alias: AliasView };
    };
    'alias.remove': { params: Named; result: None };
    status: { params: None; result: { readonly server: ServerStatus; readonly queue: QueueCount } };
    stop: { params: None; result: None };
  };

export type ControlMethod = keyof ControlMethods;
export type ControlParams<Method extends ControlMethod> = ControlMethods[Method]['params'];
export type ControlResult<Method extends ControlMethod> = ControlMethods[Method]['result'];

/** What the methods work on. Queue and mail store are asked for when they are needed: a stopped server's are not open. */
export type ControlPorts = QueueControlPorts &
  SimulateControlPorts &
  TlsControlPorts &
  RouteControlPorts &
  SearchControlPorts &
  TraceControlPorts & {
    mailStore(): Promise<MailStore>;
    /** `undefined` where no server runs. */
    readonly server:
      | { status(): ServerStatus; /** Begins to stop; returns at once. */ stop(): void }
      | undefined;
  };

type Answer<Method extends ControlMethod> = Result<ControlResult<Method>, ControlProblem>;
type Run<Method extends ControlMethod> = (fields: Fields, ports: ControlPorts) => Promise<Answer<Method>>;

export const METHODS: { readonly [Method in ControlMethod]: Run<Method> } = {
  'domain.list': async (fields, { directory }) => {
    fields.end();
    return ok({ domains: await directory.domains() });
  },
  'domain.add': async (fields, { directory }) => {
    const name = lastField(fields, fields.text('name'));
    return shown(await directory.addDomain(name), name, (domain) => ({ domain }));
  },
  'domain.remove': async (fields, { directory }) => {
    const name = lastField(fields, fields.text('name'));
    return shown(await directory.removeDomain(name), name, () => ({}));
  },

  'account.list': async (fields, { directory }) => {
    const withoutScram = fields.flag('withoutScram') === true;
    const page = lastField(fields, fields.page());
    const accounts = withoutScram ? directory.accountsWithoutScram(page) : directory.accounts(page);
    return ok({ accounts: (await accounts).map(viewAccount) });
  },
  'account.show': async (fields, ports) => {
    const address = lastField(fields, fields.text('address'));
    return withAccount(ports, address, async (account) => {
      const { octetsUsed, messagesUsed } = await (await ports.mailStore()).quota(account.id);
      const means = await ports.directory.signInMeans(account.id);
      const appPasswords = await ports.directory.appPasswords(account.id);
      return ok({
        account: viewAccount(account),
        octetsUsed,
        messagesUsed,
        signIn: {
          hasPassword: means?.hasPassword === true,
          hasScramKeys: means?.hasScramKeys === true,
          appPasswords: appPasswords.length,
          certificates: means?.certificates.length ?? 0,
        },
      });
    });
  },
  'account.add': async (fields, ports) => {
    const address = fields.text('address');
    const password = fields.optionalText('password');
    const displayName = fields.optionalText('displayName');
    const quotaOctets = lastField(fields, fields.whole('quotaOctets'));
    const added = await ports.directory.addAccount({
      address,
      password,
      ...(displayName === undefined ? {} : { displayName }),
      ...(quotaOctets === undefined ? {} : { quotaOctets }),
    });
    // Without a limit there is nothing to tell the mail store: it makes an account's mailboxes when it first hears of it.
    if (added.ok && quotaOctets !== undefined)
      await (await ports.mailStore()).setQuota(added.value.id, quotaOctets);
    return shown(added, address, (account) => ({ account: viewAccount(account) }));
  },
  'account.remove': async (fields, ports) => {
    const address = lastField(fields, fields.text('address'));
    return withAccount(ports, address, async ({ id }) => {
      // The mail store is opened first: where it cannot be, the account stays whole.
      const mailStore = await ports.mailStore();
      const removed = await ports.directory.removeAccount(id);
      if (removed.ok) await mailStore.removeAccount(id);
      return shown(removed, address, () => ({}));
    });
  },
  'account.set': async (fields, ports) => {
    const address = fields.text('address');
    const password = fields.optionalText('password');
    const displayName = fields.optionalText('displayName');
    const disabled = fields.flag('disabled');
    const quotaOctets = lastField(fields, fields.wholeOrNull('quotaOctets'));
    return withAccount(ports, address, async ({ id }) => {
      const changed = await ports.directory.setAccount(id, {
        ...(password === undefined ? {} : { password }),
        ...(displayName === undefined ? {} : { displayName }),
        ...(disabled === undefined ? {} : { disabled }),
        ...(quotaOctets === undefined ? {} : { quotaOctets }),
      });
      if (changed.ok && quotaOctets !== undefined)
        await (await ports.mailStore()).setQuota(id, quotaOctets ?? undefined);
      return shown(changed, address, (account) => ({ account: viewAccount(account) }));
    });
  },

  'app-password.list': async (fields, ports) => {
    const address = lastField(fields, fields.text('address'));
    return withAccount(ports, address, async ({ id }) =>
      ok({ appPasswords: await ports.directory.appPasswords(id) }),
    );
  },
  'app-password.add': async (fields, ports) => {
    const address = fields.text('address');
    const name = fields.text('name');
    const scopes = lastField(fields, readScopes(fields));
    return withAccount(ports, address, async ({ id }) =>
      shown(await ports.directory.addAppPassword(id, name, scopes), name, ({ secret }) => ({ secret })),
    );
  },
  'app-password.remove': async (fields, ports) => {
    const address = fields.text('address');
    const name = lastField(fields, fields.text('name'));
    return withAccount(ports, address, async ({ id }) =>
      shown(await ports.directory.removeAppPassword(id, name), name, () => ({})),
    );
  },

  'certificate.list': async (fields, ports) => {
    const address = lastField(fields, fields.text('address'));
    return withAccount(ports, address, async ({ id }) =>
      ok({ certificates: (await ports.directory.signInMeans(id))?.certificates ?? [] }),
    );
  },
  'certificate.add': async (fields, ports) => {
    const address = fields.text('address');
    const fingerprint = lastField(fields, fields.text('fingerprint'));
    return withAccount(ports, address, async ({ id }) =>
      shown(await ports.directory.addCertificate(id, fingerprint), fingerprint, (certificate) => ({
        certificate,
      })),
    );
  },
  'certificate.remove': async (fields, ports) => {
    const address = fields.text('address');
    const fingerprint = lastField(fields, fields.text('fingerprint'));
    return withAccount(ports, address, async ({ id }) =>
      shown(await ports.directory.removeCertificate(id, fingerprint), fingerprint, () => ({})),
    );
  },

  'alias.list': async (fields, { directory }) => {
    const page = lastField(fields, fields.page());
    return ok({ aliases: await directory.aliases(page) });
  },
  'alias.add': async (fields, { directory }) => {
    const address = fields.text('address');
    const targets = fields.texts('targets');
    const change = lastField(fields, readAliasChange(fields));
    if ((await directory.alias(address)) !== undefined)
      return err(directoryProblem({ kind: 'exists' }, address));
    return shown(await directory.setAlias(address, targets, change), address, (alias) => ({ alias }));
  },
  'alias.set': async (fields, { directory }) => {
    const address = fields.text('address');
    const targets = fields.texts('targets');
    const change = lastField(fields, readAliasChange(fields));
    return shown(await directory.setAlias(address, targets, change), address, (alias) => ({ alias }));
  },
  'alias.remove': async (fields, { directory }) => {
    const address = lastField(fields, fields.text('address'));
    return shown(await directory.removeAlias(address), address, () => ({}));
  },

  ...RECIPIENT_METHODS,
  ...SEARCH_METHODS,
  ...SRS_METHODS,
  ...SENDING_METHODS,
  ...SHARE_METHODS,
  ...SIMULATE_METHODS,

  ...QUEUE_METHODS,
  ...TLS_METHODS,
  ...ROUTE_METHODS,
  ...TRACE_METHODS,

  status: async (fields, ports) => {
    fields.end();
    if (ports.server === undefined) return err(NOT_RUNNING);
    return ok({ server: ports.server.status(), queue: await (await ports.queue()).count() });
  },
  stop: async (fields, { server }) => {
    fields.end();
    if (server === undefined) return err(NOT_RUNNING);
    server.stop();
    return ok({});
  },
};

const NOT_RUNNING: ControlProblem = { kind: 'not-running', message: 'No server is running' };

export function isControlMethod(name: unknown): name is ControlMethod {
  return typeof name === 'string' && Object.hasOwn(METHODS, name);
}

function readAliasChange(fields: Fields): AliasChange {
  const owner = fields.textOrNull('owner');
  const verp = fields.flag('verp');
  return { ...(owner === undefined ? {} : { owner }), ...(verp === undefined ? {} : { verp }) };
}

/** What was read last; behind it the parameters must have come to their end. */
function lastField<Value>(fields: Fields, value: Value): Value {
  fields.end();
  return value;
}

function shown<Value, View>(
  result: Result<Value, DirectoryProblem>,
  subject: string,
  view: (value: Value) => View,
): Result<View, ControlProblem> {
  return result.ok ? ok(view(result.value)) : err(directoryProblem(result.error, subject));
}

async function withAccount<View>(
  { directory }: ControlPorts,
  address: string,
  run: (account: Account) => Promise<Result<View, ControlProblem>>,
): Promise<Result<View, ControlProblem>> {
  const account = await directory.accountByAddress(address);
  return account === undefined ? err(directoryProblem({ kind: 'not-found' }, address)) : run(account);
}

function readScopes(fields: Fields): readonly Scope[] {
  const names = fields.texts('scopes');
  const scopes = names.filter(isScope);
  if (scopes.length === 0 || scopes.length !== names.length)
    throw new BadRequest('scopes is not a list of imap, pop3, smtp, managesieve, http');
  return scopes;
}

/** For whoever pages through a list: a page that is not full is the last. */
export const PAGE_MAX: number = LIMITS.controlPageMax;
