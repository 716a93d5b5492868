// The GraphiQL page: GraphiQL itself, and above it a bar that takes an API key, or says who is signed in. The key lives in
// sessionStorage and in the Authorization header of requests to this server, and nowhere else: no cookie, no localStorage, no
// URL. Without a key the session counts, whose cookie no script reads.
import 'monaco-graphql/esm/monaco-editor.js'; // first, for its styles: GraphiQL's have to come after them
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './page.css';
import { GraphiQL } from 'graphiql';
import { useEffect, useMemo, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import example from './example.graphql';

// All follow from this script's own address, <prefix>/graphiql/assets/main.js.
const endpoint = new URL('../../graphql', import.meta.url);
const session = new URL('../../session', import.meta.url);
const signIn = new URL(`../../signin?next=${encodeURIComponent(location.pathname)}`, import.meta.url);
const workerUrl = (name) => new URL(`${name}.worker.js`, import.meta.url);

globalThis.MonacoEnvironment = {
  getWorker: (_id, label) =>
    new Worker(workerUrl(['json', 'graphql'].includes(label) ? label : 'editor'), { type: 'module' }),
};

const STORED_KEY = 'regalia:api-key';

const NOTICES = {
  missing: 'No API key yet, and nobody is signed in. Sign in, or paste a key, which is forgotten when this tab is closed.',
  malformed: 'This is not an API key: it has a space, a line break or a character outside ASCII in it.',
  waiting: 'Asking the server …',
  accepted: 'The server accepted the API key.',
  signedIn: 'You are signed in.',
  refused: 'The server refused this API key (HTTP 401). Check that it is complete, not revoked, and made on this server.',
  unreachable: 'The server did not answer. Check that it is running, then press “Use key” again.',
};

const stateBeforeAsking = (key) => (/^[\x21-\x7e]*$/.test(key) ? 'waiting' : 'malformed');

/** Who is signed in, as far as the server says so. */
async function signedIn() {
  try {
    const response = await fetch(session, { credentials: 'same-origin' });
    return (await response.json()).user;
  } catch {
    return null;
  }
}

/** A GraphiQL fetcher that sends `key`, or the session's cookie without one, and tells `report` what the server made of it. */
function fetcherFor(key, report) {
  // GraphiQL prints what is thrown; an Error would put its stack trace into the result pane.
  const fail = (state) => {
    report(state);
    throw { message: NOTICES[state] };
  };
  return async (params) => {
    const state = stateBeforeAsking(key);
    if (state !== 'waiting') return fail(state);
    let response, text;
    try {
      response = await fetch(endpoint, {
        method: 'POST',
        credentials: key ? 'omit' : 'same-origin',
        headers: { 'Content-Type': 'application/json', Accept: 'application/json', ...(key && { Authorization: `Bearer ${key}` }) },
        body: JSON.stringify(params),
      });
      text = await response.text();
    } catch {
      return fail('unreachable');
    }
    if (response.status === 401) return fail(key ? 'refused' : 'missing');
    if (response.ok) report(key ? 'accepted' : 'signedIn');
    try {
      return JSON.parse(text);
    } catch {
      throw { message: `The server answered HTTP ${response.status} with something that is not JSON.` };
    }
  };
}

function Page() {
  // A new object for each press of the button: the same key again means "try again".
  const [given, setGiven] = useState(() => ({ key: sessionStorage.getItem(STORED_KEY) ?? '' }));
  const [state, setState] = useState(() => stateBeforeAsking(given.key));
  const [user, setUser] = useState(null);
  const current = useRef(given);
  const fetcher = useMemo(
    // An answer to a key that has been replaced meanwhile says nothing about the new one.
    () => fetcherFor(given.key, (next) => current.current === given && setState(next)),
    [given],
  );
  // Whoever signs in or out elsewhere is seen when the state changes.
  useEffect(() => {
    let asked = true;
    signedIn().then((found) => asked && setUser(found));
    return () => {
      asked = false;
    };
  }, [state]);

  const use = (key) => {
    if (key) sessionStorage.setItem(STORED_KEY, key);
    else sessionStorage.removeItem(STORED_KEY);
    current.current = { key };
    setGiven(current.current);
    setState(stateBeforeAsking(key));
  };
  const onSubmit = (event) => {
    event.preventDefault();
    use(event.currentTarget.elements.key.value.trim());
  };
  const onForget = (event) => {
    event.currentTarget.form.reset();
    use('');
  };

  const calm = ['accepted', 'signedIn', 'waiting'].includes(state);
  return (
    <>
      <header className="key-bar">
        <form onSubmit={onSubmit}>
          <label htmlFor="key">API key</label>
          <input id="key" name="key" type="password" autoComplete="off" spellCheck={false} />
          <button type="submit">Use key</button>
          <button type="button" disabled={!given.key} onClick={onForget}>
            Forget key
          </button>
        </form>
        <p role={calm ? 'status' : 'alert'}>{state === 'signedIn' && user ? `You are signed in as ${user.name}.` : NOTICES[state]}</p>
        <a href={signIn}>{user ? 'Your account' : 'Sign in'}</a>
      </header>
      <GraphiQL
        fetcher={fetcher}
        defaultQuery={example}
        defaultEditorToolsVisibility="variables"
        isHeadersEditorEnabled={false}
        schemaDescription
        inputValueDeprecation
      >
        <GraphiQL.Logo>Regalia</GraphiQL.Logo>
      </GraphiQL>
    </>
  );
}

createRoot(document.getElementById('root')).render(<Page />);
