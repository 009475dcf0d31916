import {
  type DkimKey,
  type DomainStore,
  type Finding,
  type KeyAlgorithm,
  type SealedKey,
  SendingDomain,
} from '../../domain/access/index.ts';
import { type Id, isId } from '../../domain/shared/ids.ts';
import { idAfter, type Page, type PageRequest, pageLimit, toPage } from '../../domain/shared/page.ts';
import type { Session } from './session.ts';

const DOMAIN = `project_id as "projectId", id, name, created_at as "createdAt", verified_at as "verifiedAt", checked_at as "checkedAt", findings`;
const KEY = `id, domain_id as "domainId", selector, algorithm, public_key as "publicKey", sealed_private_key as "sealedPrivateKey",
  created_at as "createdAt", activated_at as "activatedAt", replaced_at as "replacedAt"`;

interface DomainRow {
  readonly projectId: Id;
  readonly id: Id;
  readonly name: string;
  readonly createdAt: Date;
  readonly verifiedAt: Date | null;
  readonly checkedAt: Date | null;
  readonly findings: readonly Finding[];
}

interface KeyRow {
  readonly id: Id;
  readonly domainId: Id;
  readonly selector: string;
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: string;
  readonly sealedPrivateKey: Uint8Array | null;
  readonly createdAt: Date;
  readonly activatedAt: Date | null;
  readonly replacedAt: Date | null;
}

/** Stores sending domains and their keys in PostgreSQL. */
export class PostgresDomainStore implements DomainStore {
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  /** The unique index on the name detects a domain that the project has. */
  async add(domain: SendingDomain): Promise<boolean> {
    const { projectId, id, name, createdAt } = domain;
    const rows = await this.session.sql.query(
      `insert into pennypost_access.domain (project_id, id, name, created_at) values ($1, $2, $3, $4)
       on conflict (project_id, name) do nothing returning 1 as added`,
      [projectId, id, name, createdAt],
    );
    if (rows.length > 0) await this.saveKeys(domain);
    return rows.length > 0;
  }

  /** By the primary key or the unique index on the name. */
  async find(projectId: Id, idOrName: string, options: { readonly lock?: boolean } = {}): Promise<SendingDomain | undefined> {
    const by = isId(idOrName) ? 'id = $2::uuid' : 'name = $2';
    const rows = await this.session.sql.query<DomainRow>(
      `select ${DOMAIN} from pennypost_access.domain where project_id = $1 and ${by} ${options.lock === true ? 'for update' : ''}`,
      [projectId, idOrName],
    );
    return (await this.withKeys(projectId, rows))[0];
  }

  /** By the primary key: ids are UUIDv7, so their order is that of creation. */
  async page(projectId: Id, page: PageRequest): Promise<Page<SendingDomain>> {
    const limit = pageLimit(page);
    const rows = await this.session.sql.query<DomainRow>(
      `select ${DOMAIN} from pennypost_access.domain
       where project_id = $1 and ($2::uuid is null or id > $2::uuid) order by id limit $3`,
      [projectId, idAfter(page) ?? null, limit + 1],
    );
    return toPage(await this.withKeys(projectId, rows), limit, ({ id }) => [id]);
  }

  async save(domain: SendingDomain): Promise<void> {
    const { projectId, id, verifiedAt, checkedAt, findings, keys } = domain;
    await this.session.sql.query(
      `update pennypost_access.domain set verified_at = $3, checked_at = $4, findings = $5::jsonb where project_id = $1 and id = $2`,
      [projectId, id, verifiedAt ?? null, checkedAt ?? null, JSON.stringify(findings)],
    );
    await this.session.sql.query(
      'delete from pennypost_access.dkim_key where project_id = $1 and domain_id = $2 and not (id = any($3::uuid[]))',
      [projectId, id, keys.map((key) => key.id)],
    );
    await this.saveKeys(domain);
    await this.noteVerified(projectId);
  }

  /** Its keys go with it, by the foreign key. */
  async remove(projectId: Id, id: Id): Promise<void> {
    await this.session.sql.query('delete from pennypost_access.domain where project_id = $1 and id = $2', [projectId, id]);
    await this.noteVerified(projectId);
  }

  /** By the unique index on the name and by `dkim_key_domain`. */
  async activeKeys(projectId: Id, name: string): Promise<readonly DkimKey[]> {
    const rows = await this.session.sql.query<KeyRow>(
      `select ${KEY} from pennypost_access.dkim_key
       where project_id = $1 and activated_at is not null and replaced_at is null
         and domain_id = (select id from pennypost_access.domain where project_id = $1 and name = $2)
       order by algorithm desc, id`,
      [projectId, name],
    );
    return rows.map(keyFrom);
  }

  /** Reads all keys: there are few, and it is asked once after a start. */
  async sealedOtherwise(keyId: string, limit: number): Promise<readonly SealedKey[]> {
    return this.session.sql.query<SealedKey>(
      `select project_id as "projectId", id, sealed_private_key as "sealedPrivateKey" from pennypost_access.dkim_key
       where sealed_private_key is not null and substring(sealed_private_key for 6) <> convert_to($1, 'LATIN1') limit $2`,
      [keyId, limit],
    );
  }

  async replaceSealed({ projectId, id, sealedPrivateKey }: SealedKey, sealed: Uint8Array): Promise<void> {
    await this.session.sql.query(
      `update pennypost_access.dkim_key set sealed_private_key = $4
       where project_id = $1 and id = $2 and sealed_private_key = $3`,
      [projectId, id, sealedPrivateKey, sealed],
    );
  }

  private async saveKeys({ projectId, id, keys }: SendingDomain): Promise<void> {
    for (const key of keys)
      await this.session.sql.query(
        `insert into pennypost_access.dkim_key (project_id, id, domain_id, selector, algorithm, public_key, sealed_private_key,
           created_at, activated_at, replaced_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (project_id, id) do update set activated_at = excluded.activated_at, replaced_at = excluded.replaced_at,
           sealed_private_key = excluded.sealed_private_key`,
        [
          projectId,
          key.id,
          id,
          key.selector,
          key.algorithm,
          key.publicKey,
          key.sealedPrivateKey ?? null,
          key.createdAt,
          key.activatedAt ?? null,
          key.replacedAt ?? null,
        ],
      );
  }

  private async withKeys(projectId: Id, domains: readonly DomainRow[]): Promise<SendingDomain[]> {
    if (domains.length === 0) return [];
    const rows = await this.session.sql.query<KeyRow>(
      `select ${KEY} from pennypost_access.dkim_key where project_id = $1 and domain_id = any($2::uuid[])
       order by created_at, algorithm desc, id`,
      [projectId, domains.map(({ id }) => id)],
    );
    return domains.map(
      ({ verifiedAt, checkedAt, ...domain }) =>
        new SendingDomain({
          ...domain,
          verifiedAt: verifiedAt ?? undefined,
          checkedAt: checkedAt ?? undefined,
          keys: rows.filter(({ domainId }) => domainId === domain.id).map(keyFrom),
        }),
    );
  }

  /** The project carries their names, so that accepting a message asks for nothing more. */
  private async noteVerified(projectId: Id): Promise<void> {
    await this.session.sql.query(
      `update pennypost_access.project set verified_domains = array(
         select name from pennypost_access.domain where project_id = $1 and verified_at is not null order by name)
       where id = $1`,
      [projectId],
    );
  }
}

const keyFrom = ({ domainId: _, sealedPrivateKey, activatedAt, replacedAt, ...key }: KeyRow): DkimKey => ({
  ...key,
  sealedPrivateKey: sealedPrivateKey ?? undefined,
  activatedAt: activatedAt ?? undefined,
  replacedAt: replacedAt ?? undefined,
});
