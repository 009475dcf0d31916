/** The look of the development inbox: a list and a reading pane beside it, one after the other on a phone. */
export const inboxStyles = `
:root {
  color-scheme: light dark;
  --ground: #f5f3ee; --panel: #fff; --line: #e3dfd6; --ink: #1c2230; --soft: #5d6472; --faint: #efece5; --chosen: #f4efe6; --over: #faf8f4;
  --accent: #c0342a; --accent-ink: #fff; --link: #a82c23; --live: #2a9d63; --focus: #2f5fd0; --device: #20242e; --note: #fbf3df; --note-line: #ecdcb4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10131a; --panel: #181c26; --line: #2a303d; --ink: #eceef3; --soft: #a3abba; --faint: #232834; --chosen: #262c3a; --over: #1e232f;
    --accent: #d9493f; --accent-ink: #fff; --link: #ff9d92; --live: #54cf93; --focus: #8fb0ff; --device: #3a4252; --note: #2c2718; --note-line: #4b4023;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; height: 100vh; height: 100dvh; display: grid; grid-template: auto minmax(0, 1fr) / minmax(0, 1fr); background: var(--ground); color: var(--ink);
  font: .9375rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
}
a { color: var(--link); }
h1, h2, p, ul, dl, dd { margin: 0; padding: 0; }
ul { list-style: none; }
code, pre, .mono { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, "Liberation Mono", "DejaVu Sans Mono", monospace; font-size: .875em; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.quiet { color: var(--soft); }

.top { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.25rem; padding: .75rem 1.25rem; background: var(--panel); border-bottom: 1px solid var(--line); }
.brand { display: flex; align-items: center; gap: .625rem; margin-right: auto; color: inherit; font-weight: 700; font-size: 1.0625rem; letter-spacing: -.01em; text-decoration: none; }
.brand svg { flex: none; color: var(--accent); }
.brand span { font-weight: 400; color: var(--soft); }
#stats { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.25rem; color: var(--soft); }
#stats b { color: var(--ink); font-variant-numeric: tabular-nums; }
.address { padding: .25rem .625rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--ground); user-select: all; }
.live { display: none; align-items: center; gap: .375rem; color: var(--soft); }
.live::before { content: ""; width: .5rem; height: .5rem; border-radius: 50%; background: var(--live); }
.scripted .live { display: inline-flex; }
.away .live { visibility: hidden; }
button, .button {
  display: inline-block; min-height: 2.25rem; padding: .375rem .875rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--panel); color: var(--ink);
  font: inherit; text-decoration: none; cursor: pointer;
}
button:hover, .button:hover { background: var(--faint); }

.panes { display: grid; grid-template-columns: minmax(19rem, 25rem) minmax(0, 1fr); min-height: 0; }
.side { display: flex; flex-direction: column; min-height: 0; border-right: 1px solid var(--line); background: var(--panel); }
.search { padding: .75rem; border-bottom: 1px solid var(--line); }
.search input {
  width: 100%; height: 2.5rem; padding: 0 .875rem; border: 1px solid var(--line); border-radius: .625rem; background: var(--ground); color: var(--ink); font: inherit;
}
.search input::placeholder { color: var(--soft); opacity: 1; }
#list { flex: 1; min-height: 0; overflow-y: auto; }
.row {
  display: grid; grid-template-columns: 2.375rem minmax(0, 1fr) auto; gap: 0 .75rem; align-items: center; padding: .6875rem .875rem;
  border-bottom: 1px solid var(--line); color: inherit; text-decoration: none;
}
.row:hover { background: var(--over); }
.row[aria-current] { background: var(--chosen); box-shadow: inset 3px 0 var(--accent); }
.row:focus-visible { outline-offset: -2px; }
.row > span, .row > time { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.face { grid-row: span 2; display: grid; place-items: center; width: 2.375rem; height: 2.375rem; border-radius: 50%; color: #fff; font-weight: 650; }
.f0 { background: #a2453b; } .f1 { background: #8a5a1c; } .f2 { background: #4f6b2a; } .f3 { background: #1f6f5c; }
.f4 { background: #23678f; } .f5 { background: #4756a8; } .f6 { background: #7a4795; } .f7 { background: #98406e; }
.who { font-weight: 600; }
.row time { color: var(--soft); font-size: .8125rem; font-variant-numeric: tabular-nums; }
.row .about { grid-column: 2 / -1; color: var(--soft); }
@media (prefers-reduced-motion: no-preference) { .fresh { animation: fresh 1.6s ease-out; } @keyframes fresh { from { background: var(--note); } } }
.pages { display: flex; justify-content: space-between; gap: .5rem; padding: .75rem; }
.nothing { padding: 3rem 1.5rem; text-align: center; color: var(--soft); }

.reading { display: flex; flex-direction: column; min-width: 0; min-height: 0; overflow-y: auto; }
.welcome { margin: auto; padding: 2rem 1.5rem; max-width: 34rem; text-align: center; }
.welcome svg { color: var(--accent); }
.welcome h1 { margin: 1rem 0 .5rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.015em; }
.welcome p { color: var(--soft); text-wrap: balance; }
.welcome dl { display: grid; grid-template-columns: auto 1fr; gap: .5rem 1.25rem; margin: 1.5rem auto 0; width: fit-content; text-align: left; }
.welcome dt { color: var(--soft); }

.letter { padding: 1.25rem 1.5rem 0; background: var(--panel); }
.letter h1 { font-size: 1.375rem; line-height: 1.3; letter-spacing: -.01em; overflow-wrap: anywhere; }
.back { display: none; margin-bottom: .75rem; }
.parties { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .125rem .875rem; margin-top: .625rem; }
.parties dt { color: var(--soft); }
.parties dd { overflow-wrap: anywhere; }
.enclosed { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .875rem; }
.enclosed a { display: inline-flex; gap: .5rem; max-width: 100%; padding: .375rem .75rem; border: 1px solid var(--line); border-radius: .5rem; color: var(--ink); text-decoration: none; overflow-wrap: anywhere; }
.enclosed a:hover { background: var(--faint); }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .75rem; margin-top: 1rem; padding: 0 1.5rem; background: var(--panel); border-bottom: 1px solid var(--line); }
.letter + .bar { margin-top: 0; padding-top: .625rem; }
.tabs { display: flex; margin-right: auto; overflow-x: auto; }
.tabs a { padding: .625rem .75rem; margin-bottom: -1px; border-bottom: 2px solid transparent; color: var(--soft); text-decoration: none; white-space: nowrap; }
.tabs a:hover { color: var(--ink); }
.tabs a[aria-current] { color: var(--ink); font-weight: 600; border-bottom-color: var(--accent); }
.tabs a:focus-visible { outline-offset: -2px; }
.widths { display: flex; border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
.widths a { padding: .25rem .75rem; color: var(--soft); text-decoration: none; }
.widths a[aria-current] { background: var(--faint); color: var(--ink); font-weight: 600; }
.note { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .25rem 1rem; padding: .5rem 1.5rem; background: var(--note); border-bottom: 1px solid var(--note-line); }
.onward { display: none; margin-top: 1rem; }
.stage { flex: 1; display: flex; min-height: 24rem; }
.stage iframe { display: block; width: 100%; border: 0; background: #fff; color-scheme: light; }
.stage.phone { padding: 1.5rem 1rem; }
.stage.phone iframe { width: 25.625rem; max-width: 100%; height: 49rem; margin: 0 auto; border: 10px solid var(--device); border-radius: 2.25rem; box-shadow: 0 20px 50px -20px rgb(0 0 0 / 45%); }
.sheet { padding: 1.25rem 1.5rem 2rem; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.6; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: baseline; overflow-wrap: anywhere; }
th { width: 12rem; font-weight: 600; }
thead th { color: var(--soft); font-weight: 400; }

@media (max-width: 30rem) { .listed .brand span { display: none; } }
@media (max-width: 52rem) {
  .panes { grid-template-columns: minmax(0, 1fr); }
  .side { border-right: 0; }
  .opened .side, .listed .reading { display: none; }
  .back { display: inline-block; }
  .top { padding: .625rem .875rem; }
  .top form { order: 1; }
  #stats { order: 2; width: 100%; }
  .opened #stats, .opened .top form, .bar .widths, .bar .button { display: none; }
  .onward { display: block; }
  .stage { min-height: 75vh; }
  .letter { padding: 1rem 1rem 0; }
  .bar, .note, .sheet { padding-left: 1rem; padding-right: 1rem; }
  .stage.phone { padding: 1rem .5rem; }
  th { width: 8rem; }
}
`;
