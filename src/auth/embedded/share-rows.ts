/** From rows of shares to the port's values: owner, its address, mailbox, name, whether negative, rights. */
import { numberAt, textAt } from '../../sqlite/database.ts';
import type { Row } from '../../sqlite/database.ts';
import { known, toAccountId, toMailboxId } from '../../store/ids.ts';
import type { Share } from '../rights.ts';
import { formatIdentifier } from '../sharing.ts';

export function toShare(row: Row): Share {
  return {
    owner: known(toAccountId(numberAt(row, 0))),
    ownerAddress: textAt(row, 1),
    mailbox: toMailboxId(numberAt(row, 2)),
    identifier: formatIdentifier({ name: textAt(row, 3), negative: numberAt(row, 4) !== 0 }),
    rights: textAt(row, 5),
  };
}
