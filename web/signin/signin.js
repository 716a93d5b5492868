// The page to sign in on: the form, and for who is signed in his sessions and his password. The session is a cookie that no
// script reads; nothing is kept here.

// Both follow from this script's own address, <prefix>/signin/signin.js.
const endpoint = (name) => new URL(`../${name}`, import.meta.url);
const element = (id) => document.getElementById(id);

const UNREACHABLE = 'The server did not answer. Check that it is running and try again.';

/** What the server says is wrong: a sentence for a person. */
class Refusal extends Error {}

/** Asks the server; its answer as JSON. */
async function ask(name, method, body) {
  let response, text;
  try {
    response = await fetch(endpoint(name), {
      method,
      credentials: 'same-origin',
      headers: { Accept: 'application/json', ...(body && { 'Content-Type': 'application/json' }) },
      body: body && JSON.stringify(body),
    });
    text = await response.text();
  } catch {
    throw new Refusal(UNREACHABLE);
  }
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Refusal(`The server answered HTTP ${response.status} with something that is not JSON. Try again later.`);
  }
  const [error] = answer.errors ?? [];
  if (error || !response.ok) {
    // The session was ended elsewhere.
    if (response.status === 401 && name === 'graphql') await show(null);
    throw new Refusal(error?.message ?? `The server answered HTTP ${response.status}. Try again later.`);
  }
  return answer;
}

const graphql = async (query, input) => (await ask('graphql', 'POST', { query, variables: { input } })).data;

/** Tells what was done, or what went wrong; one of the two. */
function tell(status, error = '') {
  element('status').textContent = status;
  element('error').textContent = error;
}

/** Runs what somebody asked for, with its button out of use meanwhile. */
async function run(button, work) {
  tell('');
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    tell('', error.message);
  } finally {
    button.disabled = false;
  }
}

/** Where to go after signing in: a path of this server that `next` names, else GraphiQL. */
function onward() {
  const next = new URLSearchParams(location.search).get('next');
  if (next?.startsWith('/')) {
    // `//host` and `/\host` are other hosts' addresses, and `//[` is none.
    const target = URL.canParse(next, location.origin) && new URL(next, location.origin);
    if (target && target.origin === location.origin && ['http:', 'https:'].includes(target.protocol)) return target;
  }
  return endpoint('graphiql');
}

const moment = (text) => new Date(text).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });

function cell(row, text) {
  row.insertCell().textContent = text;
}

const END = 'mutation ($input: SessionEndInput!) { sessionEnd(input: $input) { ids } }';

async function showSessions() {
  const { viewer } = await graphql('{ viewer { sessions(first: 100) { nodes { id createdAt lastUsedAt address userAgent current } } } }');
  const rows = viewer.sessions.nodes.map((session) => {
    const row = document.createElement('tr');
    cell(row, moment(session.createdAt));
    cell(row, moment(session.lastUsedAt));
    cell(row, session.address ?? 'unknown');
    cell(row, session.userAgent ?? 'unknown');
    if (session.current) {
      cell(row, 'this one');
    } else {
      const end = document.createElement('button');
      end.type = 'button';
      end.textContent = 'End';
      end.setAttribute('aria-label', `End the session of ${moment(session.createdAt)} from ${session.address ?? 'an unknown address'}`);
      end.addEventListener('click', () =>
        run(end, async () => {
          await graphql(END, { id: session.id });
          tell('The session has ended.');
          await showSessions();
          element('sessions-title').scrollIntoView({ block: 'nearest' });
        }),
      );
      row.insertCell().append(end);
    }
    return row;
  });
  element('sessions').replaceChildren(...rows);
  element('end-others').disabled = rows.length < 2;
}

/** Shows the form, or what is the user's. */
async function show(user) {
  element('stranger').hidden = user !== null;
  element('account').hidden = user === null;
  document.title = user ? `${user.name} · Regalia` : 'Sign in · Regalia';
  if (user) {
    element('who').textContent = user.displayName === user.name ? user.name : `${user.displayName} (${user.name})`;
    element('change-name').value = user.name;
    element('onward').href = onward();
    element('onward').textContent = onward().href === endpoint('graphiql').href ? 'GraphiQL' : 'Back';
    element('account-title').focus();
    await showSessions();
  } else {
    element('name').focus();
  }
}

element('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  run(event.submitter ?? form.querySelector('button'), async () => {
    try {
      await ask('session', 'POST', { name: form.elements.name.value, password: form.elements.password.value });
    } catch (error) {
      form.elements.password.value = '';
      form.elements.password.focus();
      throw error;
    }
    form.reset();
    location.assign(onward());
  });
});

element('sign-out').addEventListener('click', ({ currentTarget }) =>
  run(currentTarget, async () => {
    await ask('session', 'DELETE');
    await show(null);
    tell('You are signed out.');
  }),
);

element('end-others').addEventListener('click', ({ currentTarget }) =>
  run(currentTarget, async () => {
    await graphql(END, { others: true });
    tell('All other sessions have ended.');
    await showSessions();
  }).then(() => element('sessions').rows.length < 2 && (currentTarget.disabled = true)),
);

element('change').addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  run(event.submitter ?? form.querySelector('button'), async () => {
    const { old, new: next, again } = form.elements;
    if (next.value !== again.value) {
      again.focus();
      throw new Refusal('The new password is not the same both times. Type it again.');
    }
    const change = 'mutation ($input: UserSetPasswordInput!) { userSetPassword(input: $input) { user { name } } }';
    await graphql(change, { oldPassword: old.value, newPassword: next.value });
    form.reset();
    tell('The password is changed, and all other sessions have ended.');
    await showSessions();
  });
});

try {
  const { user } = await ask('session', 'GET');
  await show(user);
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  await show(null);
  tell('', error.message);
}
