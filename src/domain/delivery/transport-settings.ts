import { InvalidInput } from '../shared/errors.ts';
import { nearestName } from '../shared/nearest-name.ts';
import {
  flag,
  hostName,
  isLoopbackHost,
  oneOf,
  pem,
  port,
  relativePath,
  required,
  type SettingField,
  secret,
  text,
  token,
  url,
} from './setting-fields.ts';

const endpoint = url('URL of the API, for a compatible service or a test. Default: the URL of the provider.');

/** Every kind of transport with its settings. Only fields marked as secret hold credentials. */
export const TRANSPORT_SETTINGS = {
  smtp: {
    host: required(hostName('Name or address of the SMTP server.')),
    port: port('Port of the server. Default: 465 with tls "implicit", otherwise 587.'),
    tls: oneOf(
      ['implicit', 'required', 'offered', 'none'],
      undefined,
      'TLS: "implicit" from the first byte, "required" by STARTTLS, "offered" uses STARTTLS where it is offered, "none" never. Default: "required" with credentials, otherwise "offered".',
    ),
    user: text('User name for AUTH.'),
    password: secret('Password for AUTH: PLAIN, LOGIN or CRAM-MD5, as the server offers.'),
    accessToken: secret('OAuth 2.0 access token for AUTH XOAUTH2, in place of a password.'),
    tokenUrl: url('OAuth 2.0 token endpoint at which access tokens are refreshed.'),
    clientId: text('OAuth 2.0 client id.'),
    clientSecret: secret('OAuth 2.0 client secret.'),
    refreshToken: secret('OAuth 2.0 refresh token.'),
    certificate: pem('Client certificate (PEM).'),
    privateKey: pem('Private key of the client certificate (PEM, without a passphrase).', true),
    authority: pem(
      'Certificates of the authorities that may sign the certificate of the server (PEM). Default: those of Node.js.',
    ),
    name: hostName('Name sent in EHLO. Default: the host of the public URL, otherwise the name of the machine.'),
    chunking: flag(true, 'Send several messages at once by BDAT where the server offers CHUNKING.'),
  },
  amazon_ses: {
    region: required(text('AWS region, such as eu-west-1.', /^[a-z]{2}(?:-[a-z]+)+-\d$/)),
    accessKeyId: required(text('Access key id of a user with the permission ses:SendRawEmail.', /^\w{16,128}$/)),
    secretAccessKey: required(token('Secret access key.')),
    sessionToken: token('Session token of temporary credentials.'),
    configurationSet: text('Configuration set of the messages.', /^[\w-]{1,64}$/),
    endpoint,
  },
  mailgun: {
    apiKey: required(token('Sending key of the domain, or an API key.')),
    domain: required(hostName('Sending domain at Mailgun.')),
    region: oneOf(['us', 'eu'], 'us', 'Region of the domain.'),
    endpoint,
  },
  postmark: {
    serverToken: required(token('Server API token.')),
    messageStream: text('Message stream. Default: "outbound".', /^[a-z][a-z0-9-]{0,29}$/),
    endpoint,
  },
  sendgrid: {
    apiKey: required(token('API key with the permission "Mail Send".')),
    region: oneOf(['global', 'eu'], 'global', 'Region of the account.'),
    endpoint,
  },
  sparkpost: {
    apiKey: required(token('API key with the permission "Transmissions: Read/Write".')),
    region: oneOf(['us', 'eu'], 'us', 'Region of the account.'),
    endpoint,
  },
  brevo: { apiKey: required(token('API key (v3).')), endpoint },
  resend: { apiKey: required(token('API key with the permission "Sending access".')), endpoint },
  directory: {
    path: required(relativePath('Directory below PENNYPOST_EML_DIR in which each message becomes a file.')),
  },
} as const satisfies Record<string, Readonly<Record<string, SettingField<unknown>>>>;

type Fields = typeof TRANSPORT_SETTINGS;
export type TransportKind = keyof Fields;
type SettingsOf<K extends TransportKind> = {
  readonly kind: K;
} & { readonly [F in keyof Fields[K]]: Fields[K][F] extends SettingField<infer T> ? T : never };

/** The settings of one transport, by its kind; JSON with texts, numbers and booleans, in which an absent setting is undefined. */
export type TransportSettings = { [K in TransportKind]: SettingsOf<K> }[TransportKind];

export const TRANSPORT_KINDS = Object.keys(TRANSPORT_SETTINGS) as TransportKind[];

/** Names of the settings that hold credentials: they are stored sealed and never shown. */
export function secretSettings(kind: TransportKind): readonly string[] {
  return Object.entries(fieldsOf(kind)).flatMap(([name, field]) => (field.secret ? [name] : []));
}

/**
 * Reads the settings of one transport: `{ kind, ...settings }`. Null means absent.
 * @throws InvalidInput with a pointer to the setting at fault; no message repeats a value, because it can be a secret in the wrong place
 */
export function parseTransportSettings(input: unknown): TransportSettings {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new InvalidInput('The settings of a transport are an object with "kind" and the settings of that kind.', '');
  const { kind: givenKind, ...given } = input as { readonly [name: string]: unknown };
  const kind = TRANSPORT_KINDS.find((known) => known === givenKind);
  if (kind === undefined) throw new InvalidInput(`The kind of a transport is one of ${TRANSPORT_KINDS.join(', ')}.`, '/kind');
  const fields = fieldsOf(kind);
  for (const name of Object.keys(given)) if (!Object.hasOwn(fields, name)) throw unknownSetting(kind, name);
  const read = Object.entries(fields).map(([name, field]) => [name, field.read(given[name] ?? undefined, `/${name}`)]);
  const settings = { kind, ...Object.fromEntries(read) } as TransportSettings;
  return settings.kind === 'smtp' ? coherentSmtp(settings) : settings;
}

const fieldsOf = (kind: TransportKind): Readonly<Record<string, SettingField<unknown>>> => TRANSPORT_SETTINGS[kind];

function unknownSetting(kind: TransportKind, name: string): InvalidInput {
  const known = Object.keys(fieldsOf(kind));
  const meant = nearestName(name, known);
  const hint = meant === undefined ? `It has ${known.join(', ')}.` : `Did you mean "${meant}"?`;
  return new InvalidInput(`A transport of the kind ${kind} has no setting "${name.slice(0, 40)}". ${hint}`, pointerTo(name));
}

const pointerTo = (name: string): string => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

type SmtpTransportSettings = SettingsOf<'smtp'>;

/** What is right alone can be wrong together. */
function coherentSmtp(settings: SmtpTransportSettings): SmtpTransportSettings {
  const { user: login, password, accessToken, tokenUrl, clientId, refreshToken, certificate, privateKey } = settings;
  const given = [password, accessToken, refreshToken].filter((one) => one !== undefined);
  if (given.length > 1) throw new InvalidInput('Give one of password, accessToken and refreshToken.', '/password');
  if (login !== undefined && given.length === 0)
    throw new InvalidInput('A user needs a password, an accessToken or a refreshToken.', '/user');
  if (login === undefined && given.length > 0) throw new InvalidInput('Credentials need a user.', '/user');
  if (refreshToken !== undefined && tokenUrl === undefined)
    throw new InvalidInput('A refreshToken needs a tokenUrl.', '/tokenUrl');
  if (refreshToken !== undefined && clientId === undefined)
    throw new InvalidInput('A refreshToken needs a clientId.', '/clientId');
  if ((certificate === undefined) !== (privateKey === undefined))
    throw new InvalidInput(
      'A client certificate needs its private key, and the key its certificate.',
      certificate === undefined ? '/certificate' : '/privateKey',
    );
  if (settings.tls === 'offered' && given.length > 0 && !isLoopbackHost(settings.host))
    throw new InvalidInput(
      'With credentials, tls cannot be "offered": an attacker on the network could remove the offer and read the password. Use "required", or "none" for a trusted network.',
      '/tls',
    );
  return settings;
}
