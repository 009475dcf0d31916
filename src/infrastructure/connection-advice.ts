/** What to do about a connection that cannot be made: ordered rules, each with the words of the failure that it was written for. */
export interface AdviceRule {
  /** Looked for in the message of the failure. */
  readonly found: RegExp;
  /** `SETTING` stands for the name of the setting, `HOST` for the server in it. */
  readonly advice: string;
}

/** Certificates, as Node and OpenSSL speak of them. */
const CERTIFICATE: readonly AdviceRule[] = [
  // certificate has expired
  { found: /certificate has expired|CERT_HAS_EXPIRED/i, advice: 'The certificate of HOST has expired. Renew it on that server.' },
  // certificate is not yet valid
  {
    found: /certificate is not yet valid|CERT_NOT_YET_VALID/i,
    advice: 'The certificate of HOST is not valid yet. Correct the clock of this machine or of the server.',
  },
  // Hostname/IP does not match certificate's altnames: Host: localhost. is not in the cert's altnames: DNS:elsewhere.example
  {
    found: /does not match certificate|ALTNAME_INVALID/i,
    advice: 'The certificate names another host than HOST. Use a name in it for SETTING, or install one for HOST on the server.',
  },
  // unsupported certificate purpose; certificate revoked; certificate signature failure
  {
    found: /unsupported certificate purpose|certificate (?:revoked|signature failure|rejected)/i,
    advice: 'The certificate of HOST was revoked, or is not for servers. Have a new one issued.',
  },
  // self-signed certificate in certificate chain; self-signed certificate
  {
    found: /self.signed certificate|SELF_SIGNED/i,
    advice:
      'The certificate of HOST is self-signed or signed by an unknown authority. Give the authority to Node (NODE_EXTRA_CA_CERTS=/path/to/ca.pem), or install a certificate of a public authority.',
  },
  // unable to verify the first certificate; unable to get local issuer certificate
  {
    found: /unable to (verify|get)|UNABLE_TO_/i,
    advice:
      'HOST does not send the whole certificate chain, or its authority is unknown here. Add the intermediate certificates on the server, or set NODE_EXTRA_CA_CERTS=/path/to/ca.pem.',
  },
];

/** Protocols and ciphers. */
const HANDSHAKE: readonly AdviceRule[] = [
  // unsupported protocol; dh key too small; ee key too small; no shared cipher; ssl/tls alert handshake failure
  {
    found: /unsupported protocol|no protocols|too small|too weak|no shared cipher|alert (?:handshake failure|protocol version)/i,
    advice:
      'HOST and this machine have no safe TLS version in common. Enable TLS 1.2 or newer on HOST, with keys of 2,048 bits or more.',
  },
  // Client network socket disconnected before secure TLS connection was established
  {
    found: /before secure TLS connection/i,
    advice: 'HOST closes the connection during TLS. Check its log, and whether it allows this machine.',
  },
];

const ADDRESS: readonly AdviceRule[] = [
  // getaddrinfo ENOTFOUND relay.example.com; getaddrinfo EAI_AGAIN relay.example.com
  { found: /ENOTFOUND|EAI_AGAIN/, advice: 'The name HOST does not resolve. Check its spelling in SETTING, and DNS.' },
  // connect EHOSTUNREACH 10.0.0.1:587; connect ETIMEDOUT; Connection timeout
  {
    found: /EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|Connection timeout/,
    advice: 'HOST cannot be reached. Check the network and firewalls.',
  },
  // read ECONNRESET; socket hang up
  {
    found: /ECONNRESET|EPIPE|socket hang up/,
    advice: 'HOST drops the connection. Check its log, firewalls, and whether it allows this machine.',
  },
];

const SMTP: readonly AdviceRule[] = [
  // connect ECONNREFUSED 127.0.0.1:587
  { found: /ECONNREFUSED/, advice: 'No server listens there. Start it, or correct host and port in SETTING.' },
  // connect ETIMEDOUT 203.0.113.7:25
  {
    found: /EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|Connection timeout/,
    advice: 'HOST does not answer. Check the network and firewalls. Many providers block port 25; try 587.',
  },
  // 530 5.7.0 Must issue a STARTTLS command first
  {
    found: /\b5\d\d\b.*(?:STARTTLS|TLS|encryption).*(?:first|required)|must issue a STARTTLS/i,
    advice: 'The server requires TLS first. Remove ?tls=none from SETTING.',
  },
  // Invalid login: 454 4.7.0 Temporary authentication failure
  {
    found: /\b4[25]\d 4\.\d\.\d .*authentication/i,
    advice: 'The server cannot check passwords at present. Wait, or ask its operator. SETTING may be correct.',
  },
  // Missing credentials for "PLAIN"
  { found: /Missing credentials/i, advice: 'SETTING has only one of user and password. Write smtp://user:password@HOST.' },
  // Invalid greeting. response=421 4.7.0 too many connections
  {
    found: /Invalid greeting\. response=4/,
    advice: 'The server takes no more connections at present. Try again later, or ask its operator.',
  },
  // Invalid login: 535 5.7.8 Authentication failed; Invalid login: 534-5.7.9 Application-specific password required
  {
    found: /Invalid login|\b53[045] /,
    advice:
      'The server does not accept user or password. Correct them in SETTING. Percent-encode @ : / ? # and % in them (%40 %3A %2F %3F %23 %25); some providers need an application password.',
  },
  // the server does not offer AUTH, but credentials are configured
  {
    found: /does not offer AUTH/,
    advice:
      'The server accepts no password on this port, or only after TLS. Use its port for submission (587, or smtps:// with 465), or remove user and password from SETTING.',
  },
  // error:0A00010B:SSL routines:tls_validate_record_header:wrong version number
  {
    found: /wrong version number|WRONG_VERSION_NUMBER|packet length too long/i,
    advice:
      'The server speaks plain text on this port, where SETTING expects TLS: use smtp:// (STARTTLS, mostly port 587) in place of smtps:// or ?tls=required, or the port for TLS (mostly 465).',
  },
  // Error upgrading connection with STARTTLS: 454 4.7.0 TLS not available
  {
    found: /STARTTLS/,
    advice:
      'The server offers no TLS on this port, or it fails there. Ask its operator. Without credentials, in your own network, ?tls=none sends without TLS.',
  },
  // Greeting never received, where a connection with TLS succeeds
  { found: /expects TLS from the first byte/, advice: 'The port uses TLS from the first byte. Use smtps:// in SETTING.' },
  // Invalid greeting. response=HTTP/1.1 400 Bad Request
  {
    found: /Invalid greeting\. response=(?![45]\d\d)/,
    advice: 'No SMTP server listens there. Correct host and port in SETTING.',
  },
  // Invalid greeting. response=554 5.7.1 no access from your address
  { found: /Invalid greeting\. response=5/, advice: 'The server refuses this machine. Have its operator allow its address.' },
  // Greeting never received; Connection closed unexpectedly
  {
    found: /Greeting never received|closed unexpectedly/,
    advice: 'A server listens there but sends no SMTP greeting. Correct host and port in SETTING.',
  },
];

const DATABASE: readonly AdviceRule[] = [
  // password authentication failed for user "pennypost"; role "x" does not exist
  {
    found: /does not accept this user or password/,
    advice: 'Correct user and password in SETTING; percent-encode @ : / ? # and % in them (%40 %3A %2F %3F %23 %25).',
  },
  // The server does not support SSL connections
  { found: /does not support SSL/, advice: 'The server does not support TLS. Enable ssl on it, or remove sslmode from SETTING.' },
  // no pg_hba.conf entry for host "10.0.0.7", user "pennypost", database "pennypost", no encryption
  { found: /pg_hba\.conf.*no encryption/, advice: 'The server requires TLS. Add ?sslmode=verify-full to SETTING.' },
  { found: /pg_hba\.conf/, advice: 'The server does not allow this machine. Add a line for it to pg_hba.conf on the server.' },
  // sorry, too many clients already; remaining connection slots are reserved
  {
    found: /too many (?:clients|connections)|connection slots/,
    advice: 'The server has no free connection. Raise max_connections on it, or close other connections.',
  },
  {
    found: /is starting up|is shutting down|in recovery/,
    advice: 'The server is starting or stopping. Wait, and check its log.',
  },
  {
    found: /permission denied/,
    advice: 'The user of SETTING lacks the privilege. Make it the owner of the database (alter database ... owner to ...).',
  },
  // The database is encoded as SQL_ASCII; names from all over the world need UTF8.
  {
    found: /is encoded as/,
    advice:
      "An encoding cannot be changed. Create another database (create database pennypost_utf8 encoding 'UTF8' template template0), copy the data with pg_dump and pg_restore, and set it in SETTING.",
  },
];

const HTTPS: readonly AdviceRule[] = [
  // wrong version number
  {
    found: /wrong version number|WRONG_VERSION_NUMBER|packet length too long/i,
    advice:
      'HOST speaks plain HTTP on this port. Put a TLS proxy in front of "pennypost serve" (docs/operate/processes.md), and set its address in SETTING.',
  },
  ...ADDRESS.filter(({ found }) => found.test('ENOTFOUND')),
];

export const SMTP_RULES: readonly AdviceRule[] = [...CERTIFICATE, ...SMTP, ...HANDSHAKE, ...ADDRESS];
export const DATABASE_RULES: readonly AdviceRule[] = [...DATABASE, ...CERTIFICATE, ...HANDSHAKE, ...ADDRESS];
export const HTTPS_RULES: readonly AdviceRule[] = [...CERTIFICATE, ...HTTPS, ...HANDSHAKE];

/** The first rule that fits; undefined when none does. */
export function adviceFor(
  rules: readonly AdviceRule[],
  failure: string,
  { setting, host }: { readonly setting: string; readonly host: string },
): string | undefined {
  const rule = rules.find(({ found }) => found.test(failure));
  return rule?.advice.replaceAll('SETTING', setting).replaceAll('HOST', host);
}
