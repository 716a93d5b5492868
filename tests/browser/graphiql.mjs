// GraphiQL as a person sees it, in a headless Chromium that reaches nothing but the server under test. What is tried:
// the page without a key, with the key, its own example, the caller's query, the documentation, a wrong key, and where
// the key is kept. The server, its contents and the expected answer are the caller's, through the environment:
//
//   REGALIA_URL         where the server is, for example http://127.0.0.1:8080
//   REGALIA_API_KEY     a valid key
//   REGALIA_QUERY       a GraphQL text
//   REGALIA_EXPECT      JSON list of strings that the result pane must show for it
//   REGALIA_SCREENSHOT  where the picture of that result goes; after a failure, of what was there instead
//   CHROMIUM            the browser, /usr/bin/chromium if unset
import { existsSync } from 'node:fs';

const STEP_MS = 20_000;

function die(line) {
  console.error(`graphiql: FAILED: ${line}`);
  process.exit(1);
}

const setting = (name) => process.env[name] || die(`${name} is not set`);
const base = setting('REGALIA_URL').replace(/\/+$/, '');
const apiKey = setting('REGALIA_API_KEY');
const query = setting('REGALIA_QUERY');
const expected = JSON.parse(setting('REGALIA_EXPECT'));
const screenshot = setting('REGALIA_SCREENSHOT');
if (!Array.isArray(expected) || expected.length === 0 || !expected.every((text) => typeof text === 'string' && text)) {
  die('REGALIA_EXPECT is not a JSON list of strings with something in it');
}

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
if (!existsSync(executablePath)) die(`${executablePath} is missing: apt-get update && apt-get install -y chromium`);
const { chromium } = await import('playwright-core').catch(() => die('playwright-core is missing: npm ci --prefix tests/browser'));

const server = new URL(base);
const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // The page's requests are counted and aborted below; this holds for whatever is not the page's.
    `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${server.hostname}`,
  ],
});
const context = await browser.newContext({ viewport: { width: 1600, height: 1200 }, serviceWorkers: 'block' });
context.setDefaultTimeout(STEP_MS);
await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });

/** What the page did and must not do; one line each. */
const offences = [];
let requests = 0;
const elsewhere = (url) => /^(https?|wss?):$/.test(url.protocol) && url.host !== server.host;
context.on('request', (request) => {
  if (elsewhere(new URL(request.url()))) offences.push(`asked another host: ${request.url()}`);
  else requests += 1;
});
await context.route(elsewhere, (route) => route.abort());
// What the policy stops in a worker shows neither as a request nor on the console, so the worker is made to tell.
const watched = new Set();
const TELL = 'addEventListener("securitypolicyviolation", (e) => console.error("Content Security Policy in a worker:", e.blockedURI));';
await context.route(/\.worker\.js$/, async (route) => {
  const response = await route.fetch();
  watched.add(response.url());
  await route.fulfill({ response, body: `${TELL}\n${await response.text()}` });
});
const page = await context.newPage();
context.on('page', (opened) => offences.push(`opened a page: ${opened.url()}`));
page.on('websocket', (socket) => elsewhere(new URL(socket.url())) && offences.push(`asked another host: ${socket.url()}`));
page.on('worker', (worker) => watched.has(worker.url()) || offences.push(`started a worker that is not watched: ${worker.url()}`));
page.on('pageerror', (error) => offences.push(`an uncaught error: ${error.message}`));
context.on('console', (message) => {
  if (/content security policy/i.test(message.text())) offences.push(`against the policy: ${message.text()}`);
});

const keyField = page.getByLabel('API key');
const queryEditor = page.getByRole('region', { name: 'Operation Editor' });
const resultPane = page.getByRole('region', { name: 'Result Window' });

/** Clicks into an editor's first line; its middle may be out of sight, and scrolling there would displace the text. */
const enter = (pane) => pane.locator('.monaco-editor').first().click({ position: { x: 80, y: 10 } });

/** The text an editor shows: monaco positions its lines, so their order in the document means nothing. */
async function shown(pane) {
  const lines = await pane.locator('.view-line').evaluateAll((all) =>
    all.map((line) => ({ top: parseFloat(line.style.top), text: line.textContent })).sort((a, b) => a.top - b.top),
  );
  return lines.map((line) => line.text.replaceAll('\u00a0', ' ')).join('\n');
}

/** Waits until `read` gives a text that is `right`; fails with `what` and the last text otherwise. */
async function until(what, read, right) {
  const end = Date.now() + STEP_MS;
  for (;;) {
    const text = await read();
    if (right(text)) return text;
    if (Date.now() > end) throw new Error(`${what}; instead there is:\n${text}`);
    await page.waitForTimeout(50);
  }
}

async function notice(role, words) {
  const texts = () => page.locator('.key-bar').getByRole(role).allInnerTexts();
  await until(`no ${role} that says ${words}`, async () => (await texts()).join('\n'), (text) => words.test(text));
}

async function useKey(key) {
  await keyField.fill(key);
  await page.getByRole('button', { name: 'Use key' }).click();
}

/** Runs what the query editor holds; returns when the result pane shows nothing of an earlier result. */
async function run() {
  const button = page.getByRole('button', { name: /^Execute query/ });
  await button.click();
  await button.waitFor(); // it is a stop button until the answer is there
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Puts `text` in the place of what the query editor holds, by the clipboard, as a person does. */
async function paste(text) {
  await page.evaluate((copied) => navigator.clipboard.writeText(copied), text);
  await enter(queryEditor);
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Control+V');
}

/** What the result pane shows from top to bottom, scrolling as far as it takes to see all of `wanted`. */
async function resultWith(wanted) {
  const seen = new Set();
  // A long line is wrapped: joined without the indentation it is whole again.
  const joined = (view) => view.split('\n').map((line) => line.trimStart()).join('');
  const missing = () => wanted.filter((text) => ![...seen].some((view) => joined(view).includes(text)));
  const look = async () => {
    const view = await shown(resultPane);
    if (seen.has(view)) await page.keyboard.press('PageDown');
    seen.add(view);
    return view;
  };
  await enter(resultPane);
  await until(`the result pane does not show all of ${JSON.stringify(wanted)}`, look, () => missing().length === 0);
}

async function steps() {
  const answer = await page.goto(`${base}/graphiql`);
  if (answer.status() !== 200) throw new Error(`/graphiql answered HTTP ${answer.status()}`);
  if (!answer.headers()['content-security-policy']) throw new Error('/graphiql came without a Content-Security-Policy');

  await notice('alert', /No API key yet/);
  await run();
  await resultWith(['No API key yet']);

  await useKey(apiKey);
  await notice('status', /accepted the API key/);
  await run();
  const example = await until('the page’s own example has no result', () => shown(resultPane), (text) => text !== '');
  if (example.includes('"errors"')) throw new Error(`the page’s own example does not fit the schema:\n${example}`);

  await paste(query);
  await run();
  await resultWith(expected);
  await page.screenshot({ path: screenshot });

  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await page.locator('.graphiql-doc-explorer').getByText('Query', { exact: true }).first().waitFor();

  const kept = () => page.evaluate(() => ({ session: { ...sessionStorage }, others: JSON.stringify([{ ...localStorage }, document.cookie, location.href]) }));
  const { session, others } = await kept();
  if (!Object.values(session).includes(apiKey)) throw new Error('the key is not in sessionStorage');
  if (others.includes(apiKey)) throw new Error('the key is in localStorage, a cookie or the address');
  await page.reload();
  await notice('status', /accepted the API key/);

  await useKey([...apiKey].reverse().join('') + '0');
  await notice('alert', /refused this API key/);
  await run();
  await resultWith(['refused this API key']);

  await page.getByRole('button', { name: 'Forget key' }).click();
  await notice('alert', /No API key yet/);
  if (Object.keys((await kept()).session).length !== 0) throw new Error('a forgotten key is still in sessionStorage');
}

const ANSI_COLOUR = /\u001b\[[0-9;]*m/g;
let failure = await steps().then(() => '', (error) => error.message.replace(ANSI_COLOUR, ''));
if (offences.length > 0) {
  const first = [...new Set(offences)].slice(0, 5).map((line) => `  ${line.slice(0, 300)}`);
  failure = [`the page did ${offences.length} things that it must not, such as`, ...first, failure].join('\n').trimEnd();
}
if (failure) await page.screenshot({ path: screenshot }).catch(() => {});
await context.unrouteAll({ behavior: 'ignoreErrors' });
await browser.close();
if (failure) die(failure);
console.log(`graphiql: passed, ${requests} requests to ${server.host}, 0 to any other host, picture in ${screenshot}`);
