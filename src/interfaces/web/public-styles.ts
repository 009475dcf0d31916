/**
 * The look of the public pages. It stands inside the page (one request, nothing from elsewhere) and is allowed by its hash.
 * Text on its ground has a contrast of 4.5 or more in both schemes (WCAG 2.2 AA); what can be pressed is 48 px high.
 */
export const publicStyles = `
:root {
  color-scheme: light dark;
  --ground: #f4f2ee; --card: #fff; --line: #e4e0d8; --ink: #1c2230; --soft: #5b6270;
  --press: #1c2230; --press-ink: #fff; --press-over: #343c50; --tile: #c8372d; --tile-ink: #fff;
  --good: #1f7a4d; --good-ground: #e3f3ea; --warn: #8a5a00; --warn-ground: #fbf0d9; --plain-ground: #ece9e2; --focus: #2f5fd0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12151c; --card: #1b202b; --line: #2e3544; --ink: #eef0f4; --soft: #a9b0bf;
    --press: #f1efea; --press-ink: #171b24; --press-over: #fff; --tile: #c8372d; --tile-ink: #fff;
    --good: #6fd6a0; --good-ground: #17352a; --warn: #f0c265; --warn-ground: #3a2f17; --plain-ground: #262c39; --focus: #8fb0ff;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; display: flex; flex-direction: column; align-items: center; justify-content: center;
  gap: 1.25rem; padding: 1.25rem 1rem; background: var(--ground); color: var(--ink);
  font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
}
main {
  width: 100%; max-width: 29rem; background: var(--card); border: 1px solid var(--line); border-radius: 1.25rem; padding: 2rem 1.5rem 1.75rem;
  box-shadow: 0 1px 2px rgb(20 24 34 / 5%), 0 18px 40px -18px rgb(20 24 34 / 22%);
}
@media (min-width: 34rem) { main { padding: 2.5rem 2.5rem 2.25rem; } }
.from { display: flex; align-items: center; gap: .75rem; margin: 0 0 1.75rem; font-weight: 600; overflow-wrap: anywhere; }
.tile {
  flex: none; display: grid; place-items: center; width: 2.5rem; height: 2.5rem; border-radius: .75rem; background: var(--tile); color: var(--tile-ink);
  font-size: 1.125rem; font-weight: 700;
}
.sign { display: grid; place-items: center; width: 3.5rem; height: 3.5rem; border-radius: 50%; margin: 0 0 1.25rem; background: var(--plain-ground); color: var(--ink); }
.sign.good { background: var(--good-ground); color: var(--good); }
.sign.warn { background: var(--warn-ground); color: var(--warn); }
h1 { margin: 0 0 .5rem; font-size: 1.625rem; line-height: 1.2; letter-spacing: -.015em; text-wrap: balance; overflow-wrap: anywhere; }
p { margin: 0; overflow-wrap: anywhere; }
.lead, .from { hyphens: auto; }
.lead { color: var(--soft); text-wrap: pretty; }
dl { margin: 1.5rem 0 0; border: 1px solid var(--line); border-radius: .875rem; overflow: hidden; }
dl > div { display: grid; gap: 0 1rem; padding: .75rem 1rem; }
@media (min-width: 34rem) { dl > div { grid-template-columns: 5.5rem minmax(0, 1fr); } }
dl > div + div { border-top: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
form { margin: 1.5rem 0 0; }
.press {
  display: block; width: 100%; min-height: 3.25rem; padding: .75rem 1.25rem; border: 0; border-radius: .875rem; background: var(--press); color: var(--press-ink);
  font: inherit; font-weight: 650; text-align: center; text-decoration: none; cursor: pointer;
}
.press:hover { background: var(--press-over); }
.press.quiet { background: transparent; color: var(--ink); box-shadow: inset 0 0 0 1.5px var(--soft); }
.press.quiet:hover { background: var(--plain-ground); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 3px; }
.hint { margin-top: 1rem; font-size: .9375rem; color: var(--soft); text-align: center; text-wrap: balance; }
footer { font-size: .9375rem; }
footer ul { display: flex; gap: 1.25rem; margin: 0; padding: 0; list-style: none; }
footer a, footer span { display: inline-block; padding: .5rem .25rem; color: var(--soft); border-radius: .375rem; }
footer span { font-weight: 600; color: var(--ink); }
@media (prefers-reduced-motion: no-preference) { .press { transition: background-color .15s; } }
@media (forced-colors: active) { .press { border: 1px solid; } }
@media print { main { box-shadow: none; } footer { display: none; } }
`;
