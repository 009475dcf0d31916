import type { ErrorSection } from './section.ts';

export const INPUT: ErrorSection = {
  title: 'Input',
  errors: {
    'input.invalid': {
      kind: 'invalid',
      meaning: 'A value breaks a rule; `pointer` names the field.',
      remedy: 'Correct the field. The message says what is expected.',
    },
    'page.invalid_cursor': {
      kind: 'invalid',
      meaning: 'The cursor does not come from this listing, or is incomplete.',
      remedy: 'Start again without a cursor, and pass `next` on unchanged.',
    },
    'resource.not_found': {
      kind: 'missing',
      meaning: 'No such object exists in this project. Objects of other projects are not visible.',
      remedy: 'Check the id, and the project that the key belongs to.',
    },
    'resource.changed_meanwhile': {
      kind: 'conflict',
      meaning: 'Another request changed it between your read and your write.',
      remedy: 'Read it again and repeat the change.',
    },
  },
};

export const ACCESS: ErrorSection = {
  title: 'Access',
  errors: {
    'access.unauthenticated': {
      kind: 'unauthenticated',
      meaning: 'The API key is missing, unknown, malformed, expired or revoked; the answer does not say which.',
      remedy: 'Send `Authorization: Bearer pp_...` with a valid key. `pennypost key list` shows the state of each key.',
    },
    'access.scope_missing': {
      kind: 'forbidden',
      meaning: 'The key is valid but lacks the required scope.',
      remedy: 'Use a key that has the scope, or create one.',
    },
    'access.slug_taken': {
      kind: 'conflict',
      meaning: 'Another project has this short name.',
      remedy: 'Choose another slug.',
    },
    'access.invalid_secret_key': {
      kind: 'invalid',
      meaning: '`PENNYPOST_SECRET_KEY` is not 32 bytes in hexadecimal or base64.',
      remedy: 'Create one with `openssl rand -hex 32` and keep it safe: links in mail that was already sent depend on it.',
    },
    'access.foreign_secret_key': {
      kind: 'conflict',
      meaning: 'The database was set up with another secret key.',
      remedy:
        'Configure the original key. A new key alone would break every link in mail that was already sent. To replace the key, write the new one first and the old one after it.',
    },
    'access.seal_broken': {
      kind: 'conflict',
      meaning: 'A stored credential cannot be decrypted with the secret keys of this node.',
      remedy: 'If the secret key was replaced, write the older one after the new one. Otherwise store the credential again.',
    },
    'config.secret_key_file_unusable': {
      kind: 'unavailable',
      meaning: 'The file of the secret key cannot be read, is empty or holds other data; the message names it.',
      remedy: "Correct `PENNYPOST_SECRET_KEY_FILE` or the file's owner, or restore the file from a backup.",
    },
    'config.secret_key_missing': {
      kind: 'unavailable',
      meaning: '`PENNYPOST_DATABASE_URL` is set, but no secret key.',
      remedy: 'Set `PENNYPOST_SECRET_KEY` or `PENNYPOST_SECRET_KEY_FILE` (`openssl rand -hex 32`), the same on every node.',
    },
  },
};

export const AUDIENCE: ErrorSection = {
  title: 'Audience',
  errors: {
    'subscriber.address_taken': {
      kind: 'conflict',
      meaning: 'Another subscriber of this project has this address.',
      remedy: 'Update that subscriber, or delete it first.',
    },
    'subscriber.erased': {
      kind: 'conflict',
      meaning: 'The owner of this address asked to be erased.',
      remedy: 'If the owner wants to come back, remove the suppression of the address, then subscribe it.',
    },
    'list.archived': {
      kind: 'conflict',
      meaning: 'An archived list takes no new subscribers.',
      remedy: 'Restore the list, or choose another.',
    },
    'project.in_use': {
      kind: 'conflict',
      meaning: 'The project has campaigns that are not done, or transactional messages that wait; the message names them.',
      remedy:
        'Wait, unschedule or cancel them. Or repeat the call with `force` (`--force`): sending stops first, and what waits is not sent.',
    },
    'list.in_use': {
      kind: 'conflict',
      meaning: 'Campaigns that are scheduled or still have mail to send use the list; the message names them.',
      remedy:
        'Wait, unschedule or cancel them. Or repeat the call with `force` (`--force`, `?force=true`); the message says what that does.',
    },
    'list.slug_taken': {
      kind: 'conflict',
      meaning: 'Another list of this project has this short name.',
      remedy: 'Choose another slug.',
    },
    'subscription.refused': {
      kind: 'conflict',
      meaning: 'The subscriber left the list or never joined it.',
      remedy: 'Only the subscriber’s own consent changes that.',
    },
    'import.unreadable': {
      kind: 'invalid',
      meaning: 'The file cannot be read (unclear encoding, delimiter or header, a row of more than 1 MB). Nothing was imported.',
      remedy: 'Correct the file as the message says. `--dry-run` validates it without importing.',
    },
    'import.people_left': {
      kind: 'conflict',
      meaning:
        'By a column or its name, the file holds subscribers that unsubscribed, bounced or complained elsewhere, and the call does not say how to import them. Nothing was imported.',
      remedy:
        'Set `as` (`--as`) to `stated`, `unsubscribed`, `suppressed` or `subscribed`. Map a column that has another meaning to `-`.',
    },
    'project.author_refused': {
      kind: 'invalid',
      meaning: 'The author’s address is outside the project’s domain and its further author domains.',
      remedy:
        "Use an address of the project's domain or a subdomain, or allow the domain: `authorDomains` of `PATCH /v1/project`, `pennypost project update --author-domain`.",
    },
    'project.author_unverified': {
      kind: 'invalid',
      meaning:
        'The project has verified sending domains, and the author’s address is of another domain: its mail would not be signed.',
      remedy: 'Use an address of a verified domain, or add the domain with `pennypost domain create` (`POST /v1/domains`).',
    },
    'domain.taken': {
      kind: 'conflict',
      meaning: 'The project has this sending domain already.',
      remedy: 'Use the existing domain: `pennypost domain get` (`GET /v1/domains`).',
    },
    'domain.not_ready': {
      kind: 'conflict',
      meaning: 'A DNS record of the author’s domain is missing or wrong. Nothing was launched; the message names each record.',
      remedy: 'Correct the records, check them with `pennypost domain check`, then launch again.',
    },
    'domain.rotation_pending': {
      kind: 'conflict',
      meaning: 'New keys of the domain already wait for their DNS records.',
      remedy: 'Set the records that `pennypost domain get` shows, then check the domain.',
    },
    'import.busy': {
      kind: 'limited',
      meaning: 'This process already runs as many imports as it may.',
      remedy: 'Try again when one has ended.',
    },
  },
};

export const TRANSPORTS: ErrorSection = {
  title: 'Transports',
  errors: {
    'transport.slug_taken': {
      kind: 'conflict',
      meaning: 'Another transport of this project has this short name.',
      remedy: 'Choose another slug.',
    },
    'transport.in_use': {
      kind: 'conflict',
      meaning: 'A route names the transport, or it is the last active one and mail of the project waits; the message says which.',
      remedy: 'Delete the routes or let other routes take over. Create another transport, or wait until the mail has left.',
    },
  },
};

export const MESSAGES: ErrorSection = {
  title: 'Messages',
  errors: {
    'template.slug_taken': {
      kind: 'conflict',
      meaning: 'Another template of this project has this slug.',
      remedy: 'Choose another slug, or leave it out: one is made from the name.',
    },
    'database.transaction_unusable': {
      kind: 'invalid',
      meaning: 'What was given as a transaction is not an open one, or is on another database than pennypost.',
      remedy: 'Begin a transaction first, on the database of `databaseUrl`, and pass it through the adapter of its library.',
    },
    'message.not_waiting': {
      kind: 'conflict',
      meaning: 'A message can be cancelled only while it is scheduled, accepted or deferred for one of its recipients.',
      remedy: 'Look at its recipients: they are under way, in doubt, or have ended.',
    },
    'message.idempotency_conflict': {
      kind: 'conflict',
      meaning: 'The idempotency key was used before, with another request.',
      remedy: 'Use a new key for a new message; repeat a request unchanged to get its first answer.',
    },
  },
};
