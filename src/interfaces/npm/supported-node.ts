/** The `engines` of package.json; bin/pennypost.js says the same. */
const MAJOR = 22;
const MINOR = 19;

/** What is wrong with a version of Node; undefined when it will do. */
export function unsupportedNode(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > MAJOR || (major === MAJOR && minor >= MINOR)) return undefined;
  return `pennypost needs Node ${MAJOR}.${MINOR} or newer; this is v${version}. Install a newer one, or run your application with: npx node@24 <script>`;
}
