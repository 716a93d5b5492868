// GraphiQL as a person sees it: the page without a key, with the key, its own example, the caller's query, the documentation, a
// wrong key, and where the key is kept. Beside what browser.mjs reads from the environment:
//
//   REGALIA_API_KEY     a valid key
import { base, expected, notice, page, paste, query, resultPane, resultWith, run, screenshot, setting, shown, take, until } from './browser.mjs';

const apiKey = setting('REGALIA_API_KEY');
const keyField = page.getByLabel('API key');

async function useKey(key) {
  await keyField.fill(key);
  await page.getByRole('button', { name: 'Use key' }).click();
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

await take(steps);
