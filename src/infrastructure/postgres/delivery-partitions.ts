import type { Sql } from './sql.ts';

/**
 * A partition per month, attached rather than created in place: attaching takes SHARE UPDATE EXCLUSIVE, so mailings that
 * are sending go on, where CREATE ... PARTITION OF would wait for them and make others wait.
 */
export async function ensureLedgerPartition(sql: Sql, launchedOn: string): Promise<void> {
  const month = `${launchedOn.slice(0, 7)}-01`;
  const name = `mailing_recipient_${launchedOn.slice(0, 4)}_${launchedOn.slice(5, 7)}`;
  const exists = async () =>
    (await sql.query(`select 1 from pg_inherits where inhrelid = to_regclass($1)`, [`pennypost_delivery.${name}`])).length > 0;
  if (await exists()) return;
  await sql.query(`select pg_advisory_xact_lock(hashtext('pennypost.ledger_partition'))`);
  if (await exists()) return;
  await sql.query(`create table pennypost_delivery.${name} (like pennypost_delivery.mailing_recipient including defaults)`);
  await sql.query(
    `alter table pennypost_delivery.mailing_recipient attach partition pennypost_delivery.${name}
     for values from ('${month}') to ('${nextMonth(month)}')`,
  );
}

function nextMonth(month: string): string {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return number === 12 ? `${year + 1}-01-01` : `${year}-${String(number + 1).padStart(2, '0')}-01`;
}
