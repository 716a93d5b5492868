// The GraphiQL page: GraphiQL itself, and above it a bar that takes the API key. The key lives in sessionStorage and in
// the Authorization header of requests to this server, and nowhere else: no cookie, no localStorage, no URL.
import 'monaco-graphql/esm/monaco-editor.js'; // first, for its styles: GraphiQL's have to come after them
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './page.css';
import { GraphiQL } from 'graphiql';
import { useMemo, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import example from './example.graphql';

// Both follow from this script's own address, <prefix>/graphiql/assets/main.js.
const endpoint = new URL('../../graphql', import.meta.url);
const workerUrl = (name) => new URL(`${name}.worker.js`, import.meta.url);

globalThis.MonacoEnvironment = {
  getWorker: (_id, label) =>
    new Worker(workerUrl(['json', 'graphql'].includes(label) ? label : 'editor'), { type: 'module' }),
};

const STORED_KEY = 'regalia:api-key';

const NOTICES = {
  missing: 'No API key yet. Paste yours to load the schema and run queries; it is forgotten when this tab is closed.',
  malformed: 'This is not an API key: it has a space, a line break or a character outside ASCII in it.',
  waiting: 'Asking the server …',
  accepted: 'The server accepted the API key.',
  refused: 'The server refused this API key (HTTP 401). Check that it is complete, not revoked, and made on this server.',
  unreachable: 'The server did not answer. Check that it is running, then press “Use key” again.',
};

const stateBeforeAsking = (key) => (!key ? 'missing' : /^[\x21-\x7e]+$/.test(key) ? 'waiting' : 'malformed');

/** A GraphiQL fetcher that sends `key` and tells `report` what the server made of it. */
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
        credentials: 'omit',
        headers: { 'Content-Type': 'application/json', Accept: 'application/json', Authorization: `Bearer ${key}` },
        body: JSON.stringify(params),
      });
      text = await response.text();
    } catch {
      return fail('unreachable');
    }
    if (response.status === 401) return fail('refused');
    if (response.ok) report('accepted');
    try {
      return JSON.parse(text);
    } catch {
      throw { message: `The server answered HTTP ${response.status} with something that is not JSON.` };
    }
  };
}

function Page() {
  // A new object for each press of the button: the same key again means "try again".
  const [session, setSession] = useState(() => ({ key: sessionStorage.getItem(STORED_KEY) ?? '' }));
  const [state, setState] = useState(() => stateBeforeAsking(session.key));
  const current = useRef(session);
  const fetcher = useMemo(
    // An answer to a key that has been replaced meanwhile says nothing about the new one.
    () => fetcherFor(session.key, (next) => current.current === session && setState(next)),
    [session],
  );

  const use = (key) => {
    if (key) sessionStorage.setItem(STORED_KEY, key);
    else sessionStorage.removeItem(STORED_KEY);
    current.current = { key };
    setSession(current.current);
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

  const calm = state === 'accepted' || state === 'waiting';
  return (
    <>
      <header className="key-bar">
        <form onSubmit={onSubmit}>
          <label htmlFor="key">API key</label>
          <input id="key" name="key" type="password" autoComplete="off" spellCheck={false} />
          <button type="submit">Use key</button>
          <button type="button" disabled={!session.key} onClick={onForget}>
            Forget key
          </button>
        </form>
        <p role={calm ? 'status' : 'alert'}>{NOTICES[state]}</p>
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
