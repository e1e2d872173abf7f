/** Every catalogue, in the order of docs/events.md. */
import type { Catalogue } from './definition.ts';
import { IMAP_EVENTS } from './events/imap.ts';
import { SERVER_EVENTS } from './events/server.ts';

export const CATALOGUES: readonly Catalogue[] = [SERVER_EVENTS, IMAP_EVENTS];
