/** A claimed shard as `CLAIM` returns it. */
export interface ClaimedRow {
  project_id: string;
  mailing_id: string;
  run: number;
  number: number;
  launched_on: string;
  fence: number;
  cursor: number;
  claimed_through: number;
  /** As an array literal: it goes to one split, not through the driver's parser. */
  recipients: string;
  purpose: string;
}

/**
 * Parameters: owner, lease in milliseconds, mailings to avoid, whether expired leases may be taken. Of the mailing with the
 * fewest leased shards, then of the project with the fewest, and there retries before the first run, because they are due;
 * `skip locked` lets claimers pass each other. The batch count of the fence that ends here is kept, so that its last commit is
 * recognised later. Indexes: shard_open, run_running.
 */
export const CLAIM = `with open as (
         select s.project_id, s.mailing_id, s.run, s.number, s.owner is not null and s.leased_until > clock_timestamp() as leased,
           s.owner is null or ($4 and s.leased_until <= clock_timestamp()) as free
         from pennypost_delivery.shard s
         join pennypost_delivery.run r on (r.project_id, r.mailing_id, r.number) = (s.project_id, s.mailing_id, s.run)
         where s.state = 'open' and r.state = 'running'
       ), load as (
         select project_id, mailing_id, count(*) filter (where leased) as here,
           sum(count(*) filter (where leased)) over (partition by project_id) as project
         from open group by project_id, mailing_id
       ), candidate as (
         select o.project_id, o.mailing_id, o.run, o.number, row_number() over (order by l.here, l.project, o.mailing_id, o.run desc, o.number) as rank
         from open o join load l using (project_id, mailing_id)
         where o.free and o.mailing_id <> all($3::uuid[])
         order by rank limit 20
       ), chosen as (
         select s.project_id, s.mailing_id, s.run, s.number
         from pennypost_delivery.shard s join candidate c using (project_id, mailing_id, run, number)
         where s.state = 'open' and (s.owner is null or ($4 and s.leased_until <= clock_timestamp()))
         order by c.rank limit 1 for update of s skip locked
       )
       update pennypost_delivery.shard s
       set owner = $1, leased_until = clock_timestamp() + $2 * interval '1 millisecond', fence = s.fence + 1,
         fence_batches = s.fence_batches || s.batch, batch = 0
       from chosen c where (s.project_id, s.mailing_id, s.run, s.number) = (c.project_id, c.mailing_id, c.run, c.number)
       returning s.project_id, s.mailing_id, s.run, s.number, s.launched_on::text as launched_on, s.fence, s.cursor, s.claimed_through,
         s.recipients::text as recipients,
         (select r.purpose from pennypost_delivery.run r
          where (r.project_id, r.mailing_id, r.number) = (s.project_id, s.mailing_id, s.run)) as purpose`;
