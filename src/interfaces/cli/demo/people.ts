/** The sample file of the demo: people with names from all over the world, some twice, some rows that cannot be read. */

export interface SampleFile {
  /** With a header row and CRLF line ends (RFC 4180), in UTF-8. */
  readonly csv: string;
  readonly rows: number;
  readonly duplicates: number;
  readonly rejected: number;
}

interface Culture {
  readonly locale: string;
  readonly cities: readonly string[];
  /** As people write them, and as they write them in an address. */
  readonly first: readonly (readonly [name: string, ascii: string])[];
  readonly last: readonly (readonly [name: string, ascii: string])[];
}

const named = (text: string): [string, string][] => text.split(' ').map((pair) => pair.split('/') as [string, string]);

const CULTURES: readonly Culture[] = [
  {
    locale: 'en',
    cities: ['Galway', 'Leeds', 'Wellington'],
    first: named('Ada/ada Siobhán/siobhan Oliver/oliver Róisín/roisin Grace/grace'),
    last: named('O’Brien/obrien Walker/walker Ngata/ngata Clarke/clarke'),
  },
  {
    locale: 'de',
    cities: ['Hamburg', 'Köln', 'Wien'],
    first: named('Jürgen/juergen Käthe/kaethe Björn/bjoern Anneliese/anneliese Jonas/jonas'),
    last: named('Müller/mueller Weiß/weiss Schröder/schroeder Groß/gross'),
  },
  {
    locale: 'fr',
    cities: ['Saint-Étienne', 'Genève', 'Québec'],
    first: named('Zoé/zoe François/francois Aurélie/aurelie Noël/noel'),
    last: named('Lefèvre/lefevre Garçon/garcon Dubois/dubois Côté/cote'),
  },
  {
    locale: 'es',
    cities: ['Málaga', 'Bogotá', 'San José'],
    first: named('Íñigo/inigo María/maria Begoña/begona Andrés/andres'),
    last: named('Muñoz/munoz García/garcia Ibáñez/ibanez Peña/pena'),
  },
  {
    locale: 'pt-BR',
    cities: ['São Paulo', 'Belém', 'Florianópolis'],
    first: named('João/joao Conceição/conceicao Luís/luis Antônia/antonia'),
    last: named('Gonçalves/goncalves Araújo/araujo Magalhães/magalhaes Silva/silva'),
  },
  {
    locale: 'it',
    cities: ['Trieste', 'Forlì', 'Cagliari'],
    first: named('Niccolò/niccolo Chiara/chiara Beniamino/beniamino Lucìa/lucia'),
    last: named('Esposito/esposito D’Angelo/dangelo Cantù/cantu Ricci/ricci'),
  },
  {
    locale: 'pl',
    cities: ['Łódź', 'Gdańsk', 'Kraków'],
    first: named('Łukasz/lukasz Małgorzata/malgorzata Zbigniew/zbigniew Żaneta/zaneta'),
    last: named('Wiśniewski/wisniewski Dąbrowska/dabrowska Wójcik/wojcik Kaźmierczak/kazmierczak'),
  },
  {
    locale: 'sv',
    cities: ['Malmö', 'Åbo', 'Skellefteå'],
    first: named('Åsa/asa Örjan/orjan Märta/marta Göran/goran'),
    last: named('Sjöberg/sjoberg Ångström/angstrom Lindqvist/lindqvist Öberg/oberg'),
  },
  {
    locale: 'tr',
    cities: ['İzmir', 'Eskişehir', 'Çanakkale'],
    first: named('Işıl/isil Çağlar/caglar Gülşen/gulsen Ömer/omer'),
    last: named('Yıldız/yildiz Öztürk/ozturk Şahin/sahin Güneş/gunes'),
  },
  {
    locale: 'el',
    cities: ['Θεσσαλονίκη', 'Χανιά', 'Πειραιάς'],
    first: named('Σοφία/sofia Γιώργος/giorgos Ελένη/eleni Νίκος/nikos'),
    last: named('Παπαδόπουλος/papadopoulos Οικονόμου/oikonomou Βλάχος/vlachos Κόκκινος/kokkinos'),
  },
  {
    locale: 'ja',
    cities: ['札幌', '京都', '那覇'],
    first: named('さくら/sakura 健太/kenta 美咲/misaki 大輔/daisuke'),
    last: named('佐藤/sato 髙橋/takahashi 渡邉/watanabe 小林/kobayashi'),
  },
  {
    locale: 'ar',
    cities: ['طنجة', 'بيروت', 'مسقط'],
    first: named('محمد/mohammed ليلى/layla يوسف/yousef نور/noor'),
    last: named('حداد/haddad منصور/mansour الخطيب/alkhatib سالم/salem'),
  },
  {
    locale: 'vi',
    cities: ['Đà Nẵng', 'Huế', 'Cần Thơ'],
    first: named('Hương/huong Đức/duc Thảo/thao Quỳnh/quynh'),
    last: named('Nguyễn/nguyen Trần/tran Đặng/dang Phạm/pham'),
  },
  {
    locale: 'hi',
    cities: ['जयपुर', 'इंदौर', 'लखनऊ'],
    first: named('अनन्या/ananya रोहन/rohan मीरा/meera अर्जुन/arjun'),
    last: named('शर्मा/sharma पटेल/patel गुप्ता/gupta सिंह/singh'),
  },
];

/** Reserved for examples (RFC 2606), the first ones more often than the last; three are international names. */
const DOMAINS = [
  'example.com',
  'example.org',
  'example.net',
  'post.example',
  'mail.example',
  'bücher.example',
  'quai-des-brumes.example',
  'βιβλία.example',
  '本屋.example',
];
const TASTES = ['crime', 'poetry', 'cooking', 'travel', ''];

/** Rows that no reader can take for a person. */
const BAD_ADDRESSES = [
  'rosa.example.com',
  'kim@@example.org',
  '',
  'lee park@example.net',
  'ann.example.com@',
  'sam@localhost',
  'max@example..org',
  '.dot@example.net',
  'eva@exa_mple.com',
  'a@b.example, c@d.example',
];

const HEADER = 'email,first_name,last_name,city,language,taste,reader_since';

/**
 * @param people distinct people whose rows are valid; for each hundred of them one row comes twice and one is bad, at least one each
 */
export function sampleFile(people: number): SampleFile {
  const extra = Math.max(1, Math.floor(people / 100));
  const rows = Array.from({ length: people }, (_, index) => ({ at: place(index), row: personRow(index, false) }));
  for (let number = 0; number < extra; number++) {
    const twice = Math.floor((number * people) / extra);
    // The later row about a person counts, so the one that is written again stands further down.
    rows.push({ at: place(twice) + 250_000, row: personRow(twice, true) });
    rows.push({ at: place(people + number), row: badRow(number) });
  }
  rows.sort((one, other) => one.at - other.at);
  return {
    csv: `${[HEADER, ...rows.map(({ row }) => row)].join('\r\n')}\r\n`,
    rows: rows.length,
    duplicates: extra,
    rejected: extra,
  };
}

/** Mixes cultures and bad rows through the file, the same way every time (multiplication by the golden ratio). */
const place = (index: number): number => ((index * 0.618_033_988_749_895) % 1) * 1_000_000;

function personRow(index: number, shouted: boolean): string {
  const culture = CULTURES[index % CULTURES.length]!;
  const nth = Math.floor(index / CULTURES.length);
  const [first, firstAscii] = culture.first[nth % culture.first.length]!;
  const [last, lastAscii] = culture.last[Math.floor(nth / culture.first.length) % culture.last.length]!;
  const combinations = culture.first.length * culture.last.length;
  const again = Math.floor(nth / combinations);
  // Squared, so that the first domains have most of the people, as in life.
  const domain = DOMAINS[Math.floor((((index * 37) % 101) ** 2 / 10_000) * DOMAINS.length * 0.999)]!;
  const written = `${firstAscii}.${lastAscii}${again === 0 ? '' : again + 1}@${domain}`;
  const email = shouted ? ` ${written.replace(/^./, (letter) => letter.toUpperCase())} ` : written;
  const cells = [
    email,
    first,
    last,
    culture.cities[nth % culture.cities.length]!,
    culture.locale,
    TASTES[(index + nth) % TASTES.length]!,
    String(2014 + ((index * 7) % 12)),
  ];
  return cells.map(cell).join(',');
}

function badRow(number: number): string {
  return [BAD_ADDRESSES[number % BAD_ADDRESSES.length]!, 'Nobody', `Row ${number + 1}`, '', 'en', '', ''].map(cell).join(',');
}

const cell = (text: string): string => (/[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text);
