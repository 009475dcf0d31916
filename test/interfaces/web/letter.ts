/** A newsletter as a person would send it: good-looking without a single picture from the web, except the one that counts opens. */
export function letter(firstName: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>November letters</title></head>
<body style="margin:0;background:#efe9dd;font-family:Georgia,'Liberation Serif',serif;color:#2a2622">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" style="padding:28px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:560px;background:#fffdf8;border-radius:10px;overflow:hidden">
<tr><td style="background:#8f2a22;color:#fff;padding:30px 36px">
<p style="margin:0;font-size:13px;letter-spacing:2px;text-transform:uppercase">The Penny Gazette</p>
<h1 style="margin:10px 0 0;font-size:32px;line-height:1.2;font-weight:normal">Letters that find their reader</h1></td></tr>
<tr><td style="padding:30px 36px;font-size:17px;line-height:1.65">
<p style="margin:0 0 16px">Dear ${firstName},</p>
<p style="margin:0 0 16px">in 1840 one penny carried a letter to any door in the country. This month we follow five of them: a recipe, an apology, two love letters and a bill that was never paid.</p>
<p style="margin:26px 0"><a href="about:blank#letter" style="background:#8f2a22;color:#fff;text-decoration:none;padding:13px 26px;border-radius:6px;display:inline-block">Read the first letter</a></p>
<p style="margin:0">Yours, with ink on the fingers,<br>the editors</p></td></tr>
<tr><td style="padding:18px 36px 26px;border-top:1px solid #e7dfcf;font-size:13px;line-height:1.6;color:#6d665c">You get this because you joined the weekly letter.
<a href="https://news.example/u/token" style="color:#6d665c">Unsubscribe</a> · 1 Lombard Street, London</td></tr></table>
<img src="https://news.example/o/token" width="1" height="1" alt=""></td></tr></table></body></html>`;
}
