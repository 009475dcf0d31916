/**
 * What stands around a letter that is no whole HTML document: one column of 600 pixels at most, type of 16 pixels, colours for
 * light and dark. Mail programs that know no style sheet still have the column and the type from the attributes of the table.
 */

/** True for HTML that brings its own `<html>`, `<head>` or `<body>`. */
export const isDocument = (html: string): boolean => /<(?:!doctype|html|head|body)\b/i.test(html);

const FONT = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

const STYLES = `
  :root { color-scheme: light dark; supported-color-schemes: light dark; }
  body { margin: 0; padding: 0; width: 100%; background: #ffffff; -webkit-text-size-adjust: 100%; }
  .letter { font-family: ${FONT}; font-size: 16px; line-height: 1.6; color: #1f2933; word-wrap: break-word; overflow-wrap: anywhere; }
  .letter h1, .letter h2, .letter h3, .letter h4 { margin: 32px 0 12px; line-height: 1.25; color: #101828; }
  .letter h1 { font-size: 28px; } .letter h2 { font-size: 22px; } .letter h3 { font-size: 18px; } .letter h4 { font-size: 16px; }
  .letter p, .letter ul, .letter ol, .letter blockquote, .letter pre { margin: 0 0 16px; }
  .letter ul, .letter ol { padding-left: 24px; } .letter li { margin: 0 0 6px; } .letter li > ul, .letter li > ol { margin: 6px 0 0; }
  .letter > :first-child { margin-top: 0; }
  .letter a { color: #1d4ed8; text-decoration: underline; }
  .letter img { max-width: 100%; height: auto; border: 0; }
  .letter blockquote { padding: 2px 0 2px 16px; border-left: 3px solid #d0d5dd; color: #475467; }
  .letter blockquote > :last-child { margin-bottom: 0; }
  .letter code, .letter pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 14px; background: #f2f4f7; border-radius: 4px; }
  .letter code { padding: 2px 4px; } .letter pre { padding: 12px; overflow-x: auto; white-space: pre-wrap; } .letter pre code { padding: 0; background: none; }
  .letter hr { margin: 32px 0; border: 0; border-top: 1px solid #d0d5dd; }
  .letter table.rows { margin: 0 0 16px; border-collapse: collapse; } .rows th, .rows td { padding: 6px 12px 6px 0; border-bottom: 1px solid #d0d5dd; vertical-align: top; } .rows th { text-align: left; } .rows [align=right] { text-align: right; } .rows [align=center] { text-align: center; }
  @media (max-width: 480px) { .frame { padding: 20px 16px 8px !important; } .letter h1 { font-size: 24px; } }
  @media (prefers-color-scheme: dark) {
    body, .page { background: #14171c !important; }
    .letter { color: #e4e7ec !important; } .letter h1, .letter h2, .letter h3, .letter h4 { color: #ffffff !important; }
    .letter a { color: #93b4ff !important; } .letter blockquote { color: #b6bdc9 !important; border-color: #475467 !important; }
    .letter code, .letter pre { background: #232830 !important; } .letter pre code { background: none !important; }
    .letter hr, .rows th, .rows td { border-color: #3a414c !important; }
    body > table td, body > table td a { color: #a4acb9 !important; } body > table .letter, body > table .letter .rows td { color: #e4e7ec !important; } body > table .letter a { color: #93b4ff !important; }
  }
`;

/** A whole document around a letter. */
export function inLayout(letter: string): string {
  return `<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<style>${STYLES.replaceAll(/\n\s*/g, '\n')}</style>
</head>
<body class="page" style="margin:0;padding:0;">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr><td align="center">
<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:600px;"><tr>
<td class="frame letter" align="left" style="padding:36px 24px 12px;font-family:${FONT};font-size:16px;line-height:1.6;text-align:left;">
${letter.trim()}
</td></tr></table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
`;
}
