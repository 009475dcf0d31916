/** What the value of a column is about. */
export type Target =
  | { readonly kind: 'email' | 'locale' | 'timeZone' | 'attributes' | 'status' | 'ignored' }
  | { readonly kind: 'attribute'; readonly name: string };

export interface RecognisedName {
  readonly target: Target;
  /** Of several columns that may hold the address, the one with the lowest rank does. */
  readonly rank: number;
}

/** Names as they stand in exports, in many languages; compared without case, accents, blanks and punctuation. */
const NAMES: readonly (readonly [target: Target, rank: number, names: string])[] = [
  [
    { kind: 'email' },
    1,
    `email, e-mail, mail, email address, mail address, electronic mail, e-mail-adresse, mailadresse, elektronische adresse,
     adresse e-mail, adresse mail, adresse courriel, adresse de courriel, adresse électronique, adresse de courrier électronique, courriel,
     courrier électronique, mél, adresse mél, adresse de messagerie, correo, correo-e, correo electrónico, dirección de correo, dirección de correo electrónico, dirección email,
     correu electrònic, adreça electrònica, indirizzo e-mail, indirizzo mail, indirizzo di posta elettronica, posta elettronica,
     endereço de e-mail, endereço email, correio eletrônico, correio electrónico, e-mailadres, mailadres, e-mail adres, e-postadress, e-post,
     epost, e-postadresse, mejladress, mejl, mailadresse, sähköposti, sähköpostiosoite, netfang, tölvupóstfang, adres e-mail, adres mailowy,
     poczta elektroniczna, e-mailová adresa, emailová adresa, elektronická pošta, e-mail adresa, adresa e-mail, adresă de e-mail, adresă email,
     e-mail cím, email cím, e-posta, e-posta adresi, eposta adresi, el. paštas, e-pasts, e-posti aadress, meiliaadress, e-naslov,
     elektronski naslov, adresa elektroničke pošte, adresa elektronske pošte, e-pošta, ηλεκτρονική διεύθυνση, ηλεκτρονικό ταχυδρομείο, διεύθυνση email,
     электронная почта, адрес электронной почты, эл. почта, почта, имейл, емейл, электронный адрес, електронна пошта, адреса електронної пошти,
     пошта, имейл адрес, メールアドレス, メール, Eメール, 电子邮件, 电子邮件地址, 电子邮箱, 邮箱, 邮箱地址, 邮件地址, 電子郵件, 電子信箱, 電郵, 電郵地址,
     이메일, 이메일 주소, 전자우편, אימייל, דואר אלקטרוני, כתובת אימייל, البريد الإلكتروني, عنوان البريد الإلكتروني, ईमेल, อีเมล, địa chỉ email`,
  ],
  [
    { kind: 'email' },
    2,
    `e-mail 1 - value, email 1, mail 1, smtp address, primary smtp address, e-mail 1, email address 1, e-mail 1 address, primary email, primary e-mail address, email primary, main email,
     default email, user email, user_email, subscriber email, customer email, contact email, person email, member email, email id, your email,
     your email address, attendee email, recipient email, account email, email_address_1, emails`,
  ],
  [
    { kind: 'email' },
    3,
    `work email, email work, e-mail work, business email, office email, company email, personal email, private email, home email, email home,
     geschäftliche e-mail, e-mail geschäftlich, dienstliche e-mail, private e-mail, e-mail privat, email professionnel, email pro, e-mail pro,
     email personnel, correo del trabajo, correo personal, email aziendale, email personale, e-mail zakelijk, billing email, buyer email,
     purchaser email, order email, billing e-mail, email (billing)`,
  ],
  [
    { kind: 'locale' },
    1,
    `locale, language, lang, language code, preferred language, user language, contact language, sprache, korrespondenzsprache, langue, idioma,
     lengua, lingua, língua, taal, språk, sprog, kieli, język, jazyk, nyelv, limbă, jezik, dil, язык, мова, language preference, sprachcode,
     言語, 语言, 語言, 언어`,
  ],
  [
    { kind: 'timeZone' },
    1,
    `time zone, timezone, tz, zeitzone, fuseau horaire, zona horaria, fuso orario, fuso horário, tijdzone, tidszon, tidssone, aikavyöhyke,
     strefa czasowa, časové pásmo, saat dilimi, часовой пояс`,
  ],
  [
    { kind: 'attribute', name: 'first_name' },
    1,
    `first name, given name, fname, firstname, forename, first, vorname, rufname, prénom, prénoms, nombre, nombre de pila, nom de pila, nome,
     nome próprio, primeiro nome, voornaam, förnamn, fornavn, etunimi, imię, jméno, křestní jméno, keresztnév, utónév, prenume, ime, ad, adı, isim,
     имя, ім'я, όνομα, 名, שם פרטי, الاسم الأول, eesnimi, vardas, vārds`,
  ],
  [
    { kind: 'attribute', name: 'last_name' },
    1,
    `last name, surname, family name, lname, lastname, last, nachname, familienname, zuname, nom, nom de famille, apellido, apellidos, cognome,
     sobrenome, apelido, achternaam, efternamn, etternavn, efternavn, sukunimi, nazwisko, příjmení, vezetéknév, családnév, nume, nume de familie,
     prezime, priimek, soyad, soyadı, soyisim, фамилия, прізвище, επώνυμο, 姓, שם משפחה, اسم العائلة, perekonnanimi, pavardė, uzvārds`,
  ],
];

/** Without case, accents, blanks and punctuation. */
export const plainName = (name: string): string =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '');

const RECOGNISED: ReadonlyMap<string, RecognisedName> = new Map(
  NAMES.flatMap(([target, rank, names]) =>
    names.split(',').map((name) => [plainName(name), { target, rank }] as const),
  ).toReversed(),
);

/**
 * Words that stand around the name of an address and change nothing: "Your email address (required)",
 * "Customer Email", "Correo del cliente". Whose address it is they may say; words such as "manager" or "second" are not among them.
 */
const AROUND: ReadonlySet<string> = new Set(
  `a, the, your, my, here, below, required, optional, mandatory, valid, best, current, address, addr, contact, contacts, customer, customers, client, clients, subscriber, user, member, attendee, guest, invitee, participant, registrant,
   lead, prospect, person, people, donor, student, player, buyer, purchaser, shopper, account, profile, properties, field,
   main, primary, preferred, default, shipping, billing, order, login, registration,
   ihre, deine, bitte, angeben, eingeben, pflichtfeld, erforderlich, kunde, kunden, kundin, kontakt, kontakte, mitglied, mitglieder, teilnehmer,
   abonnent, abonnenten, empfänger, der, des, die, du, de, la, le, les, votre, obligatoire, facultatif, client, abonné, messagerie, contact, membre,
   del, el, los, su, tu, obligatorio, opcional, cliente, clientes, suscriptor, contacto, usuario, di, il, tuo, tua, obbligatorio, cliente, iscritto,
   contatto, utente, do, da, o, seu, obrigatório, assinante, contato, usuário, uw, je, verplicht, klant, klanten, lid, din, obligatorisk, kund, kunde,
   medlem, ваш, адрес, клиента, контактный, контакт, контакта, пользователя, twój, klienta, váš, zákazníka, korespondenční`
    .split(',')
    .map(plainName),
);
/** Words that tell which of a subscriber's addresses it is. */
const PLACES: ReadonlySet<string> = new Set(
  `work, business, office, company, personal, private, home, other, privat, private, geschäftlich, geschäftliche, dienstlich, firma, professionnel,
   professionnelle, personnel, personnelle, trabajo, personal, aziendale, personale, lavoro, zakelijk, prive, jobb, arbejde`
    .split(',')
    .map(plainName),
);

/** What a column of this name is about by itself; undefined where the name says nothing. */
export function recognisedName(name: string): RecognisedName | undefined {
  const known = RECOGNISED.get(plainName(name));
  if (known !== undefined || name.length > 100) return known;
  const words = name.split(/(?<=\p{Ll})(?=\p{Lu})|[^\p{L}\p{M}\p{N}]+/u).map(plainName);
  const places = words.some((word) => PLACES.has(word));
  const core = words.filter((word) => !AROUND.has(word) && !PLACES.has(word)).join('');
  const found = RECOGNISED.get(core);
  return found?.target.kind === 'email' ? { target: found.target, rank: places ? 3 : Math.max(2, found.rank) } : undefined;
}
