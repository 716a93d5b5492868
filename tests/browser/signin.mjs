// Signing in as a person does, by keyboard and by what a screen reader hears: a wrong password, the right one, GraphiQL by the
// session alone, the list of sessions and their end, a new password, signing out, and what is refused after that. Beside what
// browser.mjs reads from the environment:
//
//   REGALIA_USER        who signs in
//   REGALIA_PASSWORD    the password
import { base, context, expected, notice, page, paste, query, resultWith, run, screenshot, setting, take, until } from './browser.mjs';

const user = setting('REGALIA_USER');
let password = setting('REGALIA_PASSWORD');
const others = 'another horse battery';

const status = (words) => until(`no status that says ${words}`, () => page.getByRole('status').innerText(), (text) => words.test(text));
const alert = (words) => until(`no alert that says ${words}`, () => page.getByRole('alert').innerText(), (text) => words.test(text));
const at = (place) => until(`not at ${place}`, async () => page.url(), (url) => url === `${base}${place}`);
const headline = (name) => page.getByRole('heading', { name }).waitFor();

/** Signs in where the form is, by the keyboard alone. */
async function signIn(secret) {
  await headline('Sign in');
  await until('the name has no focus', () => page.evaluate(() => document.activeElement.id), (id) => id === 'name');
  await page.keyboard.press('Control+A');
  await page.keyboard.type(user);
  await page.keyboard.press('Tab');
  await page.keyboard.type(secret);
  await page.keyboard.press('Enter');
}

/** A session of another browser: its cookie. */
async function elsewhere() {
  const headers = { 'Content-Type': 'application/json', Origin: new URL(base).origin, 'User-Agent': 'Another browser' };
  const answer = await fetch(`${base}/session`, { method: 'POST', headers, body: JSON.stringify({ name: user, password }) });
  if (answer.status !== 200) throw new Error(`the other browser was answered HTTP ${answer.status}`);
  return answer.headers.get('set-cookie').split(';')[0];
}

/** Whether a cookie still opens GraphQL. */
async function opens(cookie) {
  const headers = { 'Content-Type': 'application/json', Origin: new URL(base).origin, Cookie: cookie };
  const answer = await fetch(`${base}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query: '{ viewer { name } }' }) });
  return answer.status === 200;
}

async function named() {
  const bare = await page.evaluate(() =>
    [...document.querySelectorAll('input:not([hidden]), button')].filter((one) => !(one.labels?.length || one.textContent.trim() || one.ariaLabel)).length,
  );
  if (bare > 0) throw new Error(`${bare} fields or buttons without a name`);
}

async function steps() {
  const answer = await page.goto(`${base}/graphiql`);
  if (answer.status() !== 200) throw new Error(`/graphiql answered HTTP ${answer.status()}`);
  await notice('alert', /nobody is signed in/);
  await run();
  await resultWith(['nobody is signed in']);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await at('/signin?next=%2Fgraphiql');
  await named();

  await signIn('wrong horse battery');
  await alert(/don't belong together/);
  if ((await page.getByLabel('Password', { exact: true }).inputValue()) !== '') throw new Error('a wrong password stays in its field');
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.keyboard.press('Enter');
  await at('/graphiql');

  // GraphiQL by the session alone.
  await notice('status', new RegExp(`signed in as ${user}`));
  await paste(query);
  await run();
  await resultWith(expected);
  const kept = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, document.cookie]));
  if (kept !== '[{},""]') throw new Error(`the page keeps something, or can read the cookie: ${kept}`);
  await page.screenshot({ path: screenshot });

  // The sessions: this one and another, which is ended here.
  let other = await elsewhere();
  await page.getByRole('link', { name: 'Your account' }).click();
  await headline(`Signed in as ${user}`);
  await named();
  const rows = page.locator('#sessions tr');
  const count = (number) => until(`not ${number} sessions`, async () => String(await rows.count()), (text) => text === String(number));
  await count(2);
  const texts = (await rows.allInnerTexts()).join('\n');
  for (const text of ['this one', 'Another browser', '127.0.0.1']) {
    if (!texts.includes(text)) throw new Error(`the list of sessions does not say ${text}:\n${texts}`);
  }
  await page.getByRole('button', { name: /^End the session of/ }).click();
  await status(/The session has ended/);
  await count(1);
  if (await opens(other)) throw new Error('the ended session still opens GraphQL');
  [other] = [await elsewhere(), await elsewhere()];
  await page.reload();
  await count(3);
  await page.getByRole('button', { name: 'End all other sessions' }).click();
  await status(/All other sessions have ended/);
  await count(1);
  if (await opens(other)) throw new Error('the ended sessions still open GraphQL');

  // A new password, which ends the others.
  other = await elsewhere();
  const change = async (old, next, again) => {
    await page.getByLabel('Present password').fill(old);
    await page.getByLabel('New password', { exact: true }).fill(next);
    await page.getByLabel('New password once more').fill(again);
    await page.keyboard.press('Enter');
  };
  await change(password, others, `${others}!`);
  await alert(/not the same both times/);
  await change('wrong horse battery', others, others);
  await alert(/old password is missing or wrong/);
  await change(password, others, others);
  await status(/The password is changed/);
  password = others;
  await count(1);
  if (await opens(other)) throw new Error('a session outlived the password');

  // Signed out, and refused.
  await page.getByRole('button', { name: 'Sign out' }).click();
  await status(/You are signed out/);
  if ((await context.cookies()).length !== 0) throw new Error('the cookie stays after signing out');
  await page.goto(`${base}/graphiql`);
  await notice('alert', /nobody is signed in/);
  await paste(query);
  await run();
  await resultWith(['nobody is signed in']);

  // Back to where one came from, but never to another host.
  for (const [next, place] of [
    ['/health', '/health'],
    ['https://evil.example.com/', '/graphiql'],
    ['//evil.example.com/', '/graphiql'],
    ['//[', '/graphiql'],
    ['/\\evil.example.com/', '/graphiql'],
    ['/\t/evil.example.com/', '/graphiql'],
    ['javascript:alert(1)', '/graphiql'],
  ]) {
    await page.goto(`${base}/signin?next=${encodeURIComponent(next)}`);
    await signIn(password);
    await at(place);
    await page.goto(`${base}/signin`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await status(/You are signed out/);
  }
}

await take(steps);
