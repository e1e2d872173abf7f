/** Puts the taking of mail from the maildrop together. Where the folder cannot be had, all other mail goes on. */
import { join, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import type { DeliveryIntake } from '../delivery/intake.ts';
import { Pickup, type PickupRules } from '../delivery/pickup.ts';
import type { MessagePolicy } from '../delivery/pickup-checks.ts';
import { openMaildrop } from '../sendmail/disk/maildrop.ts';
import type { ServiceOptions } from './service-options.ts';
import { UnixUsers } from './unix-users.ts';

export function maildropFolder({ sendmail, dataDirectory }: Config): string {
  return sendmail.directory ?? join(dataDirectory, 'maildrop');
}

/** What is put behind the names of the machine's users. */
export function sendmailDomain({ sendmail, hostname }: Config): string {
  return sendmail.domain ?? hostname;
}

export function pickupRules(config: Config): PickupRules {
  const { hostname, sendmail, queue } = config;
  return {
    hostname,
    domain: sendmailDomain(config),
    senders: sendmail.senders,
    trustedUsers: sendmail.trustedUsers.map(String),
    lifetimeMs: queue.expireAfterSeconds * 1000,
  };
}

export type PickupService = { start(): void; stop(): Promise<void> };

export function composePickup(
  { config, backends, clock, observers }: ServiceOptions,
  intake: DeliveryIntake,
  policy: () => MessagePolicy,
): PickupService {
  const { sendmail, limits } = config;
  let opening: Promise<Pickup | undefined> = Promise.resolve(undefined);
  const open = async (): Promise<Pickup | undefined> => {
    const domain = sendmailDomain(config);
    try {
      const maildrop = await openMaildrop({
        folder: maildropFolder(config),
        domain,
        messageOctetsMax: limits.messageOctetsMax,
        dataDirectory: resolve(config.dataDirectory),
        nowMs: () => clock.nowMs(),
      });
      const pickup = new Pickup(
        {
          maildrop,
          intake,
          policy,
          directory: backends.directory,
          users: new UnixUsers(),
          clock,
          events: observers.sendmail,
        },
        pickupRules(config),
      );
      pickup.start();
      return pickup;
    } catch (cause) {
      observers.sendmail({ name: 'sendmail.fault', doing: 'Opening the maildrop', cause });
      return undefined;
    }
  };
  return {
    start: () => {
      if (sendmail.enabled) opening = open();
    },
    stop: async () => (await opening)?.stop(),
  };
}
