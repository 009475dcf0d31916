import { describe, expect, it } from 'vitest';
import { ImportColumns } from '../../../src/domain/audience/import-columns.ts';

/** Header lines of real exports, and which column is the address, the first and the last name. */
const EXPORTS: readonly (readonly [
  system: string,
  header: string,
  email: string,
  first?: string | undefined,
  last?: string | undefined,
])[] = [
  [
    'Mailchimp',
    'Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS',
    'Email Address',
    'First Name',
    'Last Name',
  ],
  ['Brevo', 'EMAIL;LASTNAME;FIRSTNAME;SMS;ADDED_TIME;MODIFIED_TIME;BLACKLIST', 'EMAIL', 'FIRSTNAME', 'LASTNAME'],
  [
    'HubSpot',
    'Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Lead Status,Create Date,Work email,Unsubscribed from all email',
    'Email',
    'First Name',
    'Last Name',
  ],
  [
    'Google Contacts',
    'First Name,Middle Name,Last Name,Phonetic First Name,Nickname,Organization Name,Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label',
    'E-mail 1 - Value',
    'First Name',
    'Last Name',
  ],
  [
    'Google Contacts before 2023',
    'Name,Given Name,Additional Name,Family Name,Yomi Name,Group Membership,E-mail 1 - Type,E-mail 1 - Value',
    'E-mail 1 - Value',
    'Given Name',
    'Family Name',
  ],
  ['listmonk', 'uuid,email,name,attributes,status,created_at,updated_at', 'email'],
  [
    'Outlook',
    'First Name,Middle Name,Last Name,Title,Suffix,E-mail Address,E-mail 2 Address,E-mail 3 Address,Home Phone',
    'E-mail Address',
    'First Name',
    'Last Name',
  ],
  [
    'Outlook in German',
    'Anrede,Vorname,Weitere Vornamen,Nachname,Firma,E-Mail-Adresse,E-Mail-Typ,E-Mail: Angezeigter Name,Sprache',
    'E-Mail-Adresse',
    'Vorname',
    'Nachname',
  ],
  [
    'Outlook in French',
    'Titre,Prénom,Deuxième prénom,Nom,Société,Adresse de messagerie,Adresse e-mail,Langue',
    'Adresse e-mail',
    'Prénom',
    'Nom',
  ],
  [
    'Salesforce',
    'Id,FirstName,LastName,Email,HasOptedOutOfEmail,EmailBouncedReason,MailingCity',
    'Email',
    'FirstName',
    'LastName',
  ],
  [
    'Shopify',
    'Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Total Spent,Tags',
    'Email',
    'First Name',
    'Last Name',
  ],
  ['WooCommerce', 'Name,Username,Last Active,Date Registered,Email,Orders,Total Spend', 'Email'],
  [
    'Typeform',
    '#,First name,Last name,Email,How did you hear about us?,How did you hear about us?,Start Date (UTC),Submit Date (UTC),Network ID,Tags',
    'Email',
    'First name',
    'Last name',
  ],
  [
    'Eventbrite',
    'Order #,Order Date,First Name,Last Name,Email,Quantity,Ticket Type,Order Type,Total Paid,Attendee Status,Buyer Email',
    'Email',
    'First Name',
    'Last Name',
  ],
  ['MailerLite', 'Subscriber,Email,Name,Last name,Sent,Opens,Clicks,Subscribed,Location', 'Email', undefined, 'Last name'],
  ['ConvertKit', 'id,first_name,email,status,created_at,tags', 'email', 'first_name'],
  [
    'Klaviyo',
    'Email,Klaviyo ID,First Name,Last Name,Organization,Email Marketing Consent,Email Suppressions,Source',
    'Email',
    'First Name',
    'Last Name',
  ],
  ['Substack', 'email,active_subscription,expiry,plan,email_disabled,created_at', 'email'],
  [
    'Ghost',
    'id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers',
    'email',
  ],
  [
    'WordPress (MailPoet)',
    'Email,First Name,Last Name,List name,Global Status,Subscribed IP',
    'Email',
    'First Name',
    'Last Name',
  ],
  [
    'Constant Contact',
    'Email address,First name,Last name,Company,Email status,Email permission status,Confirmed Opt-Out Date,Email update source',
    'Email address',
    'First name',
    'Last name',
  ],
  ['ActiveCampaign', 'ID,First Name,Last Name,Email,Phone,Date Created,IP Address', 'Email', 'First Name', 'Last Name'],
  ['CleverReach', 'email,registered,activated,deactivated,source,Vorname,Nachname', 'email', 'Vorname', 'Nachname'],
  ['Pipedrive', 'Person - Name,Person - ID,Work Email,Person - Phone', 'Work Email'],
  [
    'LinkedIn',
    'First Name,Last Name,URL,Email Address,Company,Position,Connected On',
    'Email Address',
    'First Name',
    'Last Name',
  ],
  ['PayPal', 'Datum,Name,Typ,E-Mail-Adresse,Brutto', 'E-Mail-Adresse'],
  [
    'Thunderbird',
    'First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email,Work Phone',
    'Primary Email',
    'First Name',
    'Last Name',
  ],
  ['Stripe', 'id,Description,Email,Name,Created (UTC),Card ID', 'Email'],
  ['SendGrid', 'EMAIL,FIRST_NAME,LAST_NAME,ADDRESS_LINE_1,CITY,ALTERNATE_EMAILS', 'EMAIL', 'FIRST_NAME', 'LAST_NAME'],
  ['Dynamics', 'Full Name,Email Address 1,Business Phone', 'Email Address 1'],
];

/** As different languages name the address. */
const ADDRESSES =
  'Adresse e-mail|Adresse électronique|Courriel|Correo electrónico|Dirección de correo electrónico|Indirizzo e-mail|Posta elettronica|Endereço de e-mail|Correio eletrônico|E-postadress|E-post|E-mailadres|E-mail-adresse|Sähköpostiosoite|Netfang|Adres e-mail|E-mailová adresa|E-mail cím|Adresă de e-mail|E-posta adresi|El. paštas|E-pasts|Work Email|E-mail 1 - Value|EMAIL_ADDRESS|e.mail|E-MAIL|Email*|Электронная почта|Електронна пошта|Ηλεκτρονική διεύθυνση|メールアドレス|电子邮箱|電子郵件|이메일 주소|אימייל|البريد الإلكتروني'.split(
    '|',
  );

describe('the header of an export of', () => {
  it.each(EXPORTS)('%s is understood', (_, header = '', email, first, last) => {
    const columns = header.split(/[,;]/);
    const cells = columns.map((column) =>
      column === email ? 'ada@example.com' : column === first ? 'Ada' : column === last ? 'Lovelace' : '',
    );
    const person = new ImportColumns({ cells: columns, line: 1, sample: [cells] }, {}).readCells(cells, 2);
    expect(person.email.address).toBe('ada@example.com');
    expect(JSON.parse(person.attributes)).toEqual({
      ...(first !== undefined && { first_name: 'Ada' }),
      ...(last !== undefined && { last_name: 'Lovelace' }),
    });
  });
});

describe('the column of the address', () => {
  it.each(ADDRESSES)('may be called %s', (name) => {
    const importing = new ImportColumns({ cells: ['id', ` ${name}\u00a0`], line: 1, sample: [] }, {});
    expect(importing.readCells(['7', 'ada@example.com'], 2).email.address).toBe('ada@example.com');
  });

  it.each([
    'Your Email Address (required)',
    'Customer Email Address',
    'properties.email',
    'EmailAddr',
    'Email del cliente',
    'E-Mail-Adresse (privat)',
    'Adresse email (obligatoire)',
  ])('may be called %s, with words around it that change nothing', (name) => {
    const importing = new ImportColumns({ cells: ['id', name], line: 1, sample: [] }, {});
    expect(importing.readCells(['7', 'ada@example.com'], 2).email.address).toBe('ada@example.com');
  });

  it.each(['Manager Email', 'Emergency contact email', 'Second email', 'Email Status', 'Email Type', 'Email Marketing'])(
    'is not taken to be %s',
    (name) => {
      const header = { cells: ['id', name], line: 1, sample: [['7', 'ada@example.com']] };
      expect(() => new ImportColumns(header, {})).toThrow(/column 2 .* holds addresses/);
    },
  );

  it('is another one than the name says, where only that one holds addresses', () => {
    const header = { cells: ['Email', 'Contact'], line: 1, sample: [['yes', 'ada@example.com']] };
    expect(() => new ImportColumns(header, {})).toThrow('column 2 ("Contact") holds addresses. Choose it with a map: 2=email.');
  });
});
