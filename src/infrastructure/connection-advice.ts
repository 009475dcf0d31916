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
  { found: /certificate has expired|CERT_HAS_EXPIRED/i, advice: 'The certificate of HOST has expired: renew it there.' },
  // certificate is not yet valid
  {
    found: /certificate is not yet valid|CERT_NOT_YET_VALID/i,
    advice: 'The certificate of HOST is not valid yet: correct the clock of this machine or of the server.',
  },
  // Hostname/IP does not match certificate's altnames: Host: localhost. is not in the cert's altnames: DNS:elsewhere.example
  {
    found: /does not match certificate|ALTNAME_INVALID/i,
    advice:
      'The certificate is made for another name than HOST: use a name in it for SETTING, or have the server present one for HOST.',
  },
  // unsupported certificate purpose; certificate revoked; certificate signature failure
  {
    found: /unsupported certificate purpose|certificate (?:revoked|signature failure|rejected)/i,
    advice: 'The certificate of HOST was revoked, or is not one for servers: have a new one issued.',
  },
  // self-signed certificate in certificate chain; self-signed certificate
  {
    found: /self.signed certificate|SELF_SIGNED/i,
    advice:
      'The certificate of HOST is signed by itself or by an authority that this machine does not know: give the authority to Node (NODE_EXTRA_CA_CERTS=/path/to/ca.pem), or install a certificate of a public one.',
  },
  // unable to verify the first certificate; unable to get local issuer certificate
  {
    found: /unable to (verify|get)|UNABLE_TO_/i,
    advice:
      'HOST does not send the whole chain of its certificate, or its authority is unknown here: have it send the intermediate certificates, or set NODE_EXTRA_CA_CERTS=/path/to/ca.pem.',
  },
];

/** Protocols and ciphers. */
const HANDSHAKE: readonly AdviceRule[] = [
  // unsupported protocol; dh key too small; ee key too small; no shared cipher; ssl/tls alert handshake failure
  {
    found: /unsupported protocol|no protocols|too small|too weak|no shared cipher|alert (?:handshake failure|protocol version)/i,
    advice: 'HOST and this machine share no TLS that is safe: have HOST offer TLS 1.2 or newer, with keys of 2,048 bits or more.',
  },
  // Client network socket disconnected before secure TLS connection was established
  {
    found: /before secure TLS connection/i,
    advice: 'HOST ends the connection during TLS: look at its log, and whether it lets this machine in.',
  },
];

const ADDRESS: readonly AdviceRule[] = [
  // getaddrinfo ENOTFOUND relay.example.com; getaddrinfo EAI_AGAIN relay.example.com
  { found: /ENOTFOUND|EAI_AGAIN/, advice: 'The name HOST does not resolve: look at its spelling in SETTING, and at DNS.' },
  // connect EHOSTUNREACH 10.0.0.1:587; connect ETIMEDOUT; Connection timeout
  {
    found: /EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|Connection timeout/,
    advice: 'No way leads to HOST: look at the network and at firewalls.',
  },
  // read ECONNRESET; socket hang up
  {
    found: /ECONNRESET|EPIPE|socket hang up/,
    advice: 'HOST breaks the connection off: look at its log, at firewalls, and whether it lets this machine in.',
  },
];

const SMTP: readonly AdviceRule[] = [
  // connect ECONNREFUSED 127.0.0.1:587
  { found: /ECONNREFUSED/, advice: 'Nothing listens there: start the server, or correct host and port in SETTING.' },
  // connect ETIMEDOUT 203.0.113.7:25
  {
    found: /EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|Connection timeout/,
    advice: 'No way leads to HOST: look at the network and at firewalls. Many providers block port 25; try 587.',
  },
  // 530 5.7.0 Must issue a STARTTLS command first
  {
    found: /\b5\d\d\b.*(?:STARTTLS|TLS|encryption).*(?:first|required)|must issue a STARTTLS/i,
    advice: 'The server wants TLS before everything else: leave ?tls=none out of SETTING.',
  },
  // Invalid login: 454 4.7.0 Temporary authentication failure
  {
    found: /\b4[25]\d 4\.\d\.\d .*authentication/i,
    advice: 'The server cannot check passwords at present: wait, or ask its operator. SETTING may be right.',
  },
  // Missing credentials for "PLAIN"
  { found: /Missing credentials/i, advice: 'Only one of user and password stands in SETTING: smtp://user:password@HOST.' },
  // Invalid greeting. response=421 4.7.0 too many connections
  {
    found: /Invalid greeting\. response=4/,
    advice: 'The server takes no more connections at present: try again later, or ask its operator.',
  },
  // Invalid login: 535 5.7.8 Authentication failed; Invalid login: 534-5.7.9 Application-specific password required
  {
    found: /Invalid login|\b53[045] /,
    advice:
      'The server does not accept user or password: correct them in SETTING. Percent-encode @ : / ? # and % in them (%40 %3A %2F %3F %23 %25); some providers want a password made for applications.',
  },
  // the server does not offer AUTH, but credentials are configured
  {
    found: /does not offer AUTH/,
    advice:
      'The server wants no password on this port, or only after TLS: use its port for submission (587, or smtps:// with 465), or leave user and password out of SETTING.',
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
      'The server offers no TLS on this port, or it fails there: ask its operator. Without credentials and in a network of your own, ?tls=none goes without.',
  },
  // Greeting never received, where a connection with TLS succeeds
  { found: /expects TLS from the first byte/, advice: 'The port is one for TLS from the first byte: use smtps:// in SETTING.' },
  // Invalid greeting. response=HTTP/1.1 400 Bad Request
  {
    found: /Invalid greeting\. response=(?![45]\d\d)/,
    advice: 'No SMTP server listens there: correct host and port in SETTING.',
  },
  // Invalid greeting. response=554 5.7.1 no access from your address
  { found: /Invalid greeting\. response=5/, advice: 'The server refuses this machine: have its operator allow its address.' },
  // Greeting never received; Connection closed unexpectedly
  {
    found: /Greeting never received|closed unexpectedly/,
    advice: 'Something listens there and gives no SMTP greeting: correct host and port in SETTING.',
  },
];

const DATABASE: readonly AdviceRule[] = [
  // password authentication failed for user "pennypost"; role "x" does not exist
  {
    found: /does not accept this user or password/,
    advice: 'Correct user and password in SETTING; percent-encode @ : / ? # and % in them (%40 %3A %2F %3F %23 %25).',
  },
  // The server does not support SSL connections
  { found: /does not support SSL/, advice: 'The server speaks no TLS: enable ssl there, or leave sslmode out of SETTING.' },
  // no pg_hba.conf entry for host "10.0.0.7", user "pennypost", database "pennypost", no encryption
  { found: /pg_hba\.conf.*no encryption/, advice: 'The server wants TLS: add ?sslmode=verify-full to SETTING.' },
  { found: /pg_hba\.conf/, advice: 'The server does not let this machine in: add a line for it to pg_hba.conf there.' },
  // sorry, too many clients already; remaining connection slots are reserved
  {
    found: /too many (?:clients|connections)|connection slots/,
    advice: 'The server has no connection left: raise max_connections there, or end what holds them.',
  },
  { found: /is starting up|is shutting down|in recovery/, advice: 'The server starts or ends: wait, and look at its log.' },
  {
    found: /permission denied/,
    advice: 'The user of SETTING may not do this: let it own the database (alter database ... owner to ...).',
  },
  // The database is encoded as SQL_ASCII; names from all over the world need UTF8.
  {
    found: /is encoded as/,
    advice:
      "An encoding cannot be changed later: create another database (create database pennypost_utf8 encoding 'UTF8' template template0), bring the data over with pg_dump and pg_restore, and name it in SETTING.",
  },
];

const HTTPS: readonly AdviceRule[] = [
  // wrong version number
  {
    found: /wrong version number|WRONG_VERSION_NUMBER|packet length too long/i,
    advice:
      'HOST speaks plain HTTP on this port: let a proxy in front of "pennypost serve" do TLS (docs/operate/processes.md), and name it in SETTING.',
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
