/**
 * The letter that the demo sends, written as an ordinary campaign file. It shows what a message can look like without
 * one picture: everything is drawn with tables and colours, so nothing is missing where pictures are blocked.
 */

/** Books on the shelf of the heading: width and height in pixels, colour of the back, colour of its band. */
const SHELF: readonly (readonly [width: number, height: number, colour: string, band: string])[] = [
  [22, 74, '#c8553d', '#f2d7a6'],
  [16, 92, '#2f6f73', '#0f2f3a'],
  [28, 64, '#e6b35a', '#7c4a1f'],
  [14, 84, '#f1e7d3', '#c8553d'],
  [24, 98, '#8c3b2e', '#e6b35a'],
  [18, 70, '#5d8a82', '#f1e7d3'],
  [32, 58, '#d98c5f', '#8c3b2e'],
  [16, 88, '#f2d7a6', '#2f6f73'],
  [20, 78, '#b4463a', '#f1e7d3'],
  [26, 94, '#3b5a6b', '#e6b35a'],
  [14, 66, '#e9c98b', '#8c3b2e'],
  [22, 86, '#73a099', '#0f2f3a'],
  [30, 62, '#a34f35', '#f2d7a6'],
  [18, 80, '#f1e7d3', '#3b5a6b'],
  [24, 90, '#8c3b2e', '#f1e7d3'],
  [14, 72, '#2f6f73', '#e6b35a'],
  [20, 96, '#d98c5f', '#0f2f3a'],
  [28, 60, '#3b5a6b', '#f2d7a6'],
  [16, 82, '#e6b35a', '#8c3b2e'],
  [22, 68, '#c8553d', '#0f2f3a'],
];

interface Book {
  readonly title: string;
  /** What stands on the cover. */
  readonly letters: string;
  readonly by: string;
  readonly says: string;
  readonly colour: string;
  readonly ink: string;
  readonly path: string;
}

const BOOKS: readonly Book[] = [
  {
    title: 'The Tide Clerk',
    letters: 'T·C',
    by: 'Ingrid Solheim',
    says: 'A harbour office, one missing ledger, and the longest night of the year.',
    colour: '#2f6f73',
    ink: '#f2d7a6',
    path: 'the-tide-clerk',
  },
  {
    title: 'Salt & Cinnamon',
    letters: 'S&C',
    by: 'Noor Haddad',
    says: 'Forty recipes that sailed, and the people who carried them in their heads.',
    colour: '#c8553d',
    ink: '#fbf3e2',
    path: 'salt-and-cinnamon',
  },
  {
    title: 'Small Weather',
    letters: 's·w',
    by: 'Teresa Vidal',
    says: 'Poems for windowsills. The shortest one is about fog and takes four words.',
    colour: '#e6b35a',
    ink: '#5a3212',
    path: 'small-weather',
  },
];

/** What the letter adds for people by what they like to read. */
const TASTES: Readonly<Record<string, string>> = {
  crime: 'You like it dark: we have put a signed copy of <em>The Tide Clerk</em> aside for you until Friday.',
  poetry:
    'For you there is a chair by the stove: on Thursdays at six we read one poem aloud, and then we are silent for a while.',
  cooking: 'Come hungry on Saturday: Noor cooks three pages of her book in our back room, and you may taste all of them.',
  travel: 'The globe in the window is yours to turn: wherever it stops, we have a book about that place, or we find one.',
};

/** A campaign file: front matter, then MJML. */
export function newsletter(list: string): string {
  return `---
name: November letter
subject: "{{ first_name }}, the evenings are long again"
preheader: Three new books, a warm room, and something we kept for you.
author: Harbour Books <letters@news.harbour.example>
reply_to: shop@harbour.example
lists: [${list}]
defaults:
  first_name: reader
  city: your town
  taste: novels
  reader_since: 2020
---
<mjml>
  <mj-head>
    <mj-title>Harbour Books: November letter</mj-title>
    <mj-attributes>
      <mj-all font-family="Georgia, 'Times New Roman', serif" />
      <mj-text font-size="17px" line-height="27px" color="#2b2620" />
      <mj-section padding="0" />
      <mj-column padding="0" />
      <mj-button font-family="'Trebuchet MS', 'Segoe UI', Helvetica, sans-serif" font-size="15px" font-weight="700" border-radius="999px" inner-padding="14px 28px" />
    </mj-attributes>
    <mj-style>
      .caps div { text-transform: uppercase; letter-spacing: 3px; }
      .narrow { max-width: 440px; }
      a { color: inherit; }
      @media (max-width: 480px) { .shelf td.far { display: none !important; } .big div { font-size: 34px !important; line-height: 40px !important; } }
    </mj-style>
  </mj-head>
  <mj-body background-color="#efe6d5" width="620px">
    <mj-section padding="18px 24px">
      <mj-group>
        <mj-column width="60%">
          <mj-text css-class="caps" padding="0" font-size="12px" line-height="18px" color="#7a6a52" font-family="'Trebuchet MS', 'Segoe UI', Helvetica, sans-serif" font-weight="700">Harbour Books</mj-text>
        </mj-column>
        <mj-column width="40%">
          <mj-text padding="0" align="right" font-size="13px" line-height="18px" color="#7a6a52" font-style="italic">Letter no. 11</mj-text>
        </mj-column>
      </mj-group>
    </mj-section>

    <mj-wrapper padding="0" background-color="#0f2f3a" border-radius="14px 14px 0 0">
      <mj-section padding="44px 40px 8px">
        <mj-column>
          <mj-text padding="0 0 14px" css-class="caps" font-size="12px" line-height="18px" color="#e6b35a" font-family="'Trebuchet MS', 'Segoe UI', Helvetica, sans-serif" font-weight="700">November at the quay</mj-text>
          <mj-text padding="0" css-class="big" font-size="44px" line-height="50px" color="#fbf3e2">${GREETING}, {{ first_name }}.</mj-text>
          <mj-text padding="18px 0 0" font-size="18px" line-height="29px" color="#c9d6d3">The evenings are long again, and the lamp over our door is lit. Three boats brought books this month; the best of them stand in the window until you come{% if city != 'your town' %} by from {{ city }}{% endif %}.</mj-text>
          <mj-button align="left" padding="26px 0 30px" background-color="#e6b35a" color="#3a2408" href="https://harbour.example/window?from=letter-11">See the window</mj-button>
        </mj-column>
      </mj-section>
      <mj-section padding="0 40px">
        <mj-column>
          <mj-text padding="0" line-height="0" font-size="0">${shelf()}</mj-text>
        </mj-column>
      </mj-section>
    </mj-wrapper>

    <mj-section background-color="#fffaf0" padding="36px 40px 6px">
      <mj-column>
        <mj-text padding="0" font-size="18px" line-height="29px">{% if reader_since > 2023 %}You have read with us since {{ reader_since }}; it feels longer, and we mean that kindly.{% else %}You have read with us since {{ reader_since }}. Your loyalty card is so worn that we printed you a new one.{% endif %}</mj-text>
        <mj-text padding="18px 0 0"><div style="border-left:3px solid #c8553d;padding:2px 0 2px 18px;font-style:italic;color:#5b4a36;">${taste()}</div></mj-text>
      </mj-column>
    </mj-section>

    <mj-section background-color="#fffaf0" padding="34px 40px 0">
      <mj-column>
        <mj-text padding="0 0 4px" css-class="caps" font-size="12px" line-height="18px" color="#c8553d" font-family="'Trebuchet MS', 'Segoe UI', Helvetica, sans-serif" font-weight="700">New on our shelves</mj-text>
      </mj-column>
    </mj-section>
${BOOKS.map(book).join('\n')}

    <mj-section background-color="#fffaf0" padding="30px 40px 40px">
      <mj-column background-color="#f6ead2" border-radius="12px" padding="22px 26px">
        <mj-table padding="0" cellpadding="0" cellspacing="0">
          <tr>
            <td width="74" valign="top">
              <table cellpadding="0" cellspacing="0" role="presentation" width="64" style="border-radius:8px;overflow:hidden;text-align:center;">
                <tr><td style="background:#c8553d;color:#fff6e6;font:700 11px/22px 'Trebuchet MS',Helvetica,sans-serif;letter-spacing:2px;border-radius:8px 8px 0 0;">NOV</td></tr>
                <tr><td style="background:#ffffff;color:#2b2620;font:400 30px/44px Georgia,serif;border-radius:0 0 8px 8px;">27</td></tr>
              </table>
            </td>
            <td valign="top" style="padding-left:18px;font-family:Georgia,serif;color:#2b2620;">
              <div style="font-size:20px;line-height:28px;">The night of the open drawers</div>
              <div style="font-size:15px;line-height:24px;color:#6b5a43;padding-top:4px;">From six o’clock. We read from letters that were never posted. Tea is on the stove, dogs are welcome.</div>
              <div style="padding-top:10px;font-size:15px;line-height:24px;"><a href="https://harbour.example/evenings/open-drawers" style="color:#8c3b2e;font-weight:700;">Keep me a chair</a></div>
            </td>
          </tr>
        </mj-table>
      </mj-column>
    </mj-section>

    <mj-section background-color="#0f2f3a" border-radius="0 0 14px 14px" padding="30px 40px">
      <mj-column>
        <mj-text padding="0" align="center" font-size="22px" line-height="32px" color="#f2d7a6" font-style="italic">“A shop window is a letter to everybody who walks by.”</mj-text>
        <mj-text padding="8px 0 0" align="center" font-size="14px" line-height="22px" color="#9fb3b0">Ilse, who arranges ours</mj-text>
      </mj-column>
    </mj-section>

    <mj-section padding="26px 40px 40px">
      <mj-column>
        <mj-text padding="0" align="center" font-size="13px" line-height="21px" color="#7a6a52">{{ project.name }}<br />{{ postal_address }}</mj-text>
        <mj-text padding="10px 0 0" align="center" font-size="13px" line-height="21px" color="#7a6a52"><a href="https://harbour.example/hours" style="color:#7a6a52;">Opening hours</a> &nbsp;·&nbsp; <a href="{{ unsubscribe_url }}" style="color:#7a6a52;">Unsubscribe</a></mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
`;
}

const GREETING =
  "{% case subscriber.locale %}{% when 'de' %}Guten Abend{% when 'fr' %}Bonsoir{% when 'es' %}Buenas noches{% when 'pt-BR' %}Boa noite{% when 'it' %}Buonasera{% when 'pl' %}Dobry wieczór{% when 'sv' %}God kväll{% when 'tr' %}İyi akşamlar{% when 'el' %}Καλησπέρα{% when 'ja' %}こんばんは{% when 'ar' %}مساء الخير{% when 'vi' %}Chào buổi tối{% else %}Good evening{% endcase %}";

function shelf(): string {
  const backs = SHELF.map(
    ([width, height, colour, band], index) =>
      `<td valign="bottom"${index > 9 ? ' class="far"' : ''} style="padding:0 3px 0 0;"><div style="width:${width}px;height:${height}px;background:${colour};border-radius:3px 3px 0 0;"><div style="height:14px;font-size:0;line-height:0;">&nbsp;</div><div style="height:5px;background:${band};font-size:0;line-height:0;">&nbsp;</div></div></td>`,
  );
  return `<table class="shelf" role="presentation" cellpadding="0" cellspacing="0"><tr>${backs.join('')}</tr></table><div style="height:8px;background:#7c4a1f;border-radius:2px 2px 0 0;font-size:0;line-height:0;">&nbsp;</div>`;
}

function taste(): string {
  const cases = Object.entries(TASTES).map(([name, text]) => `{% when '${name}' %}${text}`);
  return `{% case taste %}${cases.join('')}{% else %}Tell us what you like to read, and the next letter will know.{% endcase %}`;
}

function book({ title, letters, by, says, colour, ink, path }: Book): string {
  const url = `https://harbour.example/books/${path}`;
  return `    <mj-section background-color="#fffaf0" padding="18px 40px 0">
      <mj-column>
        <mj-table padding="0" cellpadding="0" cellspacing="0">
          <tr>
            <td width="104" valign="top">
              <table role="presentation" cellpadding="0" cellspacing="0" width="92" style="background:${colour};border-radius:4px 8px 8px 4px;">
                <tr>
                  <td width="8" style="background:rgba(0,0,0,0.18);border-radius:4px 0 0 4px;font-size:0;">&nbsp;</td>
                  <td height="124" valign="middle" style="padding:8px;text-align:center;font:italic 700 26px/30px Georgia,serif;color:${ink};">${letters.replace('&', '&amp;')}</td>
                </tr>
              </table>
            </td>
            <td valign="middle" style="padding-left:16px;font-family:Georgia,serif;color:#2b2620;">
              <div style="font-size:21px;line-height:28px;"><a href="${url}" style="color:#2b2620;text-decoration:none;">${title.replace('&', '&amp;')}</a></div>
              <div style="font-size:14px;line-height:22px;color:#7a6a52;font-style:italic;">${by}</div>
              <div style="font-size:16px;line-height:25px;padding-top:6px;">${says}</div>
            </td>
          </tr>
        </mj-table>
      </mj-column>
    </mj-section>`;
}
