// What the tests in a browser share: a headless Chromium that reaches nothing but the server under test, what a person does in
// GraphiQL, and the end. The server, its contents and the expected answer are the caller's, through the environment:
//
//   REGALIA_URL         where the server is, for example http://127.0.0.1:8080
//   REGALIA_QUERY       a GraphQL text
//   REGALIA_EXPECT      JSON list of strings that the result pane must show for it
//   REGALIA_SCREENSHOT  where the picture of that result goes; after a failure, of what was there instead
//   CHROMIUM            the browser, /usr/bin/chromium if unset
import { existsSync } from 'node:fs';
import path from 'node:path';

const title = path.basename(process.argv[1], '.mjs');
const STEP_MS = 20_000;

function die(line) {
  console.error(`${title}: FAILED: ${line}`);
  process.exit(1);
}

export const setting = (name) => process.env[name] || die(`${name} is not set`);
export const base = setting('REGALIA_URL').replace(/\/+$/, '');
export const query = setting('REGALIA_QUERY');
export const expected = JSON.parse(setting('REGALIA_EXPECT'));
export const screenshot = setting('REGALIA_SCREENSHOT');
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
export const context = await browser.newContext({ viewport: { width: 1600, height: 1200 }, serviceWorkers: 'block' });
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
export const page = await context.newPage();
context.on('page', (opened) => offences.push(`opened a page: ${opened.url()}`));
page.on('websocket', (socket) => elsewhere(new URL(socket.url())) && offences.push(`asked another host: ${socket.url()}`));
page.on('worker', (worker) => watched.has(worker.url()) || offences.push(`started a worker that is not watched: ${worker.url()}`));
page.on('pageerror', (error) => offences.push(`an uncaught error: ${error.message}`));
context.on('console', (message) => {
  if (/content security policy/i.test(message.text())) offences.push(`against the policy: ${message.text()}`);
});

const queryEditor = page.getByRole('region', { name: 'Operation Editor' });
export const resultPane = page.getByRole('region', { name: 'Result Window' });

/** Clicks into an editor's first line; its middle may be out of sight, and scrolling there would displace the text. */
const enter = (pane) => pane.locator('.monaco-editor').first().click({ position: { x: 80, y: 10 } });

/** The text an editor shows: monaco positions its lines, so their order in the document means nothing. */
export async function shown(pane) {
  const lines = await pane.locator('.view-line').evaluateAll((all) =>
    all.map((line) => ({ top: parseFloat(line.style.top), text: line.textContent })).sort((a, b) => a.top - b.top),
  );
  return lines.map((line) => line.text.replaceAll('\u00a0', ' ')).join('\n');
}

/** Waits until `read` gives a text that is `right`; fails with `what` and the last text otherwise. */
export async function until(what, read, right) {
  const end = Date.now() + STEP_MS;
  for (;;) {
    const text = await read();
    if (right(text)) return text;
    if (Date.now() > end) throw new Error(`${what}; instead there is:\n${text}`);
    await page.waitForTimeout(50);
  }
}

export async function notice(role, words) {
  const texts = () => page.locator('.key-bar').getByRole(role).allInnerTexts();
  await until(`no ${role} that says ${words}`, async () => (await texts()).join('\n'), (text) => words.test(text));
}

/** Runs what the query editor holds; returns when the result pane shows nothing of an earlier result. */
export async function run() {
  const button = page.getByRole('button', { name: /^Execute query/ });
  await button.click();
  await button.waitFor(); // it is a stop button until the answer is there
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** Puts `text` in the place of what the query editor holds, by the clipboard, as a person does. */
export async function paste(text) {
  await page.evaluate((copied) => navigator.clipboard.writeText(copied), text);
  await enter(queryEditor);
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Control+V');
}

/** What the result pane shows from top to bottom, scrolling as far as it takes to see all of `wanted`. */
export async function resultWith(wanted) {
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

const ANSI_COLOUR = /\u001b\[[0-9;]*m/g;

/** Takes the steps, and ends with the exit code that says how it went. */
export async function take(steps) {
  let failure = await steps().then(() => '', (error) => error.message.replace(ANSI_COLOUR, ''));
  if (offences.length > 0) {
    const first = [...new Set(offences)].slice(0, 5).map((line) => `  ${line.slice(0, 300)}`);
    failure = [`the page did ${offences.length} things that it must not, such as`, ...first, failure].join('\n').trimEnd();
  }
  if (failure) await page.screenshot({ path: screenshot }).catch(() => {});
  await context.unrouteAll({ behavior: 'ignoreErrors' });
  await browser.close();
  if (failure) die(failure);
  console.log(`${title}: passed, ${requests} requests to ${server.host}, 0 to any other host, picture in ${screenshot}`);
}
